"""The tasks of the audit's jobs: sealing, training, audit and study. Each goes on from what an earlier run left.

The server imports this module to name the tasks, and must start without torch. So each task imports what it does itself, in
the subprocess that carries it out.
"""

from typing import Any

from services.audit.jobs.requests import DEFAULT_NEIGHBOURS, AuditRequest, SliceRequest, TrainingRequest
from services.audit.jobs.subprocess_job import JobProgressCallback
from shared.workspace import Workspace


def sealing_task(workspace: Workspace, request: dict[str, Any], report_progress: JobProgressCallback) -> dict[str, str]:
    """Seal a slice and its control; the only step. The path of the near copies that were left out is among the results.

    Raises:
        SleeveError: as `services.audit.sealing.sealed_slices.seal_slice`.
    """
    from services.audit.models.trained_models import model_recipe
    from services.audit.sealing.sealed_slices import seal_slice

    asked = SliceRequest.model_validate(request)
    sealed = seal_slice(
        workspace,
        asked.name,
        asked.datasets,
        asked.size,
        seed=asked.seed,
        control=asked.control,
        distinct=model_recipe(asked.distinct.resolution, asked.distinct.channels) if asked.distinct else None,
        neighbours=DEFAULT_NEIGHBOURS,
    )
    names = ("manifest", "control")[: len(sealed.manifests)]
    counts = {name: manifest.size for name, manifest in zip(names, sealed.manifests, strict=True)}
    result = {name: manifest.id for name, manifest in zip(names, sealed.manifests, strict=True)}
    if sealed.near_copies is not None:
        counts["near_copies"] = sealed.near_copies
        result["near_copies"] = f"/v1/slices/{asked.name}/near-copies"
    report_progress(1, 1, counts)
    return result


def training_task(workspace: Workspace, request: dict[str, Any], report_progress: JobProgressCallback) -> dict[str, str]:
    """Train a model and record it; a step is an optimiser update.

    Raises:
        SleeveError: as `services.audit.models.trained_models.train_model`.
    """
    from services.audit.models.trained_models import model_recipe, train_model
    from services.audit.sealing.near_copies import check_near_copies

    training = TrainingRequest.model_validate(request)
    near_copies: dict[str, int] = {}
    if training.control is not None:
        recipe = model_recipe(training.config.resolution, training.config.channels)
        near_copies["near_copies"] = len(check_near_copies(workspace, training.manifest, training.control, recipe)[0])
    model = train_model(
        workspace,
        training.name,
        training.manifest,
        training.config,
        lambda done, total: report_progress(done, total, {"updates": done} | near_copies),
    )
    return {"model": model.id}


def audit_task(workspace: Workspace, request: dict[str, Any], report_progress: JobProgressCallback) -> dict[str, str]:
    """Sample a model, audit it, and write its reports; a step is a generation, the last one all the rest.

    Raises:
        SleeveError: as `sample_model` and `audit_model`.
    """
    from services.audit.audits.audit import audit_model
    from services.audit.comparison.context import AuditContext
    from services.audit.reports.registry import write_audit_reports
    from services.audit.sampling.samples import sample_model
    from shared.vision.embedding import open_embedder

    audit = AuditRequest.model_validate(request)
    steps = audit.generations + 1
    samples = sample_model(
        workspace,
        audit.model,
        audit.generations,
        audit.seed,
        audit.steps,
        lambda done, _: report_progress(done, steps, {"generations": done}),
    )
    embedder = open_embedder(workspace.settings.embedder)
    context = AuditContext(workspace, audit.control, embedder, audit.neighbours, audit.rate)
    record, content = audit_model(context, audit.model, samples)
    write_audit_reports(workspace, record, content, samples)
    report_progress(steps, steps, {"generations": audit.generations})
    return {"audit": record.id, "model": record.model_id}


def study_task(workspace: Workspace, request: dict[str, Any], report_progress: JobProgressCallback) -> dict[str, str]:
    """Run a study; a step is a model trained, sampled or audited.

    Raises:
        SleeveError: as `services.audit.studies.study.run_study`.
    """
    from services.audit.studies.study import run_study
    from services.audit.studies.study_config import StudyConfig

    config = StudyConfig.model_validate(request)
    finished: dict[str, set[str]] = {"training": set(), "sampling": set(), "audit": set()}
    steps = len(finished) * len(list(config.models()))

    def report_model(name: str, step: str, done: int, total: int) -> None:
        if done == total and step in finished and name not in finished[step]:
            finished[step].add(name)
            counts = {kind: len(names) for kind, names in finished.items()}
            report_progress(sum(counts.values()), steps, counts)

    study = run_study(workspace, config, report_model)
    return {"study": study.record.id}
