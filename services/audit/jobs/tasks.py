"""What jobs of the audit do, in a process of their own; each goes on behind what an earlier run left."""

from typing import Any

from services.audit.jobs.requests import AuditRequest, TrainingRequest
from services.audit.jobs.subprocess_job import Tell
from shared.workspace import Workspace


def train_as_asked(workspace: Workspace, request: dict[str, Any], tell: Tell) -> dict[str, str]:
    """Train a model and record it; a step is an optimiser update.

    Raises:
        SleeveError: as `services.audit.models.trained_models.train_model`.
    """
    from services.audit.models.trained_models import train_model

    asked = TrainingRequest.model_validate(request)
    model = train_model(
        workspace,
        asked.name,
        asked.manifest,
        asked.config,
        lambda done, total: tell(done, total, {"updates": done}),
    )
    return {"model": model.id}


def audit_as_asked(workspace: Workspace, request: dict[str, Any], tell: Tell) -> dict[str, str]:
    """Sample a model, compare, record and report; a step is a generation drawn, the last one all the rest.

    Raises:
        SleeveError: as `services.audit.jobs.whole_audit.run_audit`.
    """
    from services.audit.jobs.whole_audit import run_audit

    asked = AuditRequest.model_validate(request)
    steps = asked.generations + 1
    done = run_audit(
        workspace,
        asked.model,
        asked.control,
        count=asked.generations,
        seed=asked.seed,
        steps=asked.steps,
        neighbours=asked.neighbours,
        rate=asked.rate,
        on_image=lambda drawn, _: tell(drawn, steps, {"generations": drawn}),
    )
    tell(steps, steps, {"generations": asked.generations})
    return {"audit": done.audit.id, "model": done.audit.model_id}


def study_as_asked(workspace: Workspace, request: dict[str, Any], tell: Tell) -> dict[str, str]:
    """Run a study; a step is a model trained, sampled or audited.

    Raises:
        SleeveError: as `services.audit.studies.study.run_study`.
    """
    from services.audit.studies.study import run_study
    from services.audit.studies.study_config import StudyConfig

    asked = StudyConfig.model_validate(request)
    finished: dict[str, set[str]] = {"training": set(), "sampling": set(), "audit": set()}
    steps = len(finished) * len(list(asked.models()))

    def on_progress(name: str, step: str, done: int, of: int) -> None:
        if done == of and step in finished and name not in finished[step]:
            finished[step].add(name)
            counts = {one: len(names) for one, names in finished.items()}
            tell(sum(counts.values()), steps, counts)

    study = run_study(workspace, asked, on_progress)
    return {"study": study.record.id}
