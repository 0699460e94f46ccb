"""A study: slices sealed, models trained and sampled side by side, every model audited, and one curve made of all.

Rules, in order:

1. Slices and control are sealed before the first update of the first model.
2. Every step is durable and found again: a manifest, a model, its samples, and the comparisons of one slice size. A study
   that was killed at any point goes on from there and comes to the same figures. Run again, it comes to the same bytes.
3. Models are trained seed by seed. A study that is stopped early has the whole curve for the seeds it finished.
4. `study.json` is canonical JSON without times. The log names its digest, and each audit in it has an entry of its own.
"""

from dataclasses import dataclass
from typing import Any

from sqlmodel import Session

from services.audit.comparison.matching import Matcher, match_against
from services.audit.models.recorded_models import find_same_model
from services.audit.processes.process_pool import ModelJob, ModelProgressCallback, train_and_sample
from services.audit.sampling.sample_shards import is_finished
from services.audit.studies.size_comparison import SizeComparison, compare_size
from services.audit.studies.study_config import SAMPLE_SEED, StudyConfig, StudyModel
from services.audit.studies.study_content import build_study_content
from services.audit.studies.study_context import StudyContext, open_study
from services.audit.studies.study_slices import seal_study_slices
from shared.canonical import canonical_json, sha256_hex
from shared.clock import utc_now
from shared.files import save_atomically
from shared.ids import new_id
from shared.ledger.bodies import StudyCompleted
from shared.ledger.entries import build_entry
from shared.records.entry_rows import append_and_add
from shared.records.manifests import load_manifest
from shared.records.studies import Study, find_study
from shared.workspace import Workspace


@dataclass(frozen=True)
class FinishedStudy:
    """A study on record, and the content of its `study.json`."""

    record: Study
    content: dict[str, Any]


def run_study(
    workspace: Workspace, config: StudyConfig, report_progress: ModelProgressCallback, matcher: Matcher = match_against
) -> FinishedStudy:
    """Run a study, or go on with it, or return it where it is finished.

    Args:
        workspace: holds the data set; its settings name the embedder.
        config: the study.
        report_progress: called with each model's name, its step, and how far it is (`StudyContext`).
        matcher: matches generations and controls.

    Raises:
        InputError: the data set has too few distinct pictures, or the embedder's panel lacks a rule that the study rests on.
        ConflictError: the study's names stand for other slices or models.
        UnavailableError: a process died, or another one trains a model of this study.
    """
    context = open_study(workspace, config, report_progress, matcher)
    slices = seal_study_slices(context)
    _verify_models(context)
    _train_and_sample_models(context)
    comparisons: list[SizeComparison] = []
    for size in config.sizes:
        comparisons.append(compare_size(context, size, slices.alike))
        for model in config.models_of_size(size):
            report_progress(model.name, "audit", 1, 1)
    content = build_study_content(context, slices, comparisons)
    return FinishedStudy(_save(context, content), content)


def _verify_models(context: StudyContext) -> None:
    """Check that the models of these names are those of this study.

    Finished samples are not drawn again. A study whose training was changed would otherwise take up those of the one before.
    """
    with context.workspace.reading() as session:
        for model in context.config.models():
            training = context.config.training_of(model)
            find_same_model(session, model.name, load_manifest(session, model.manifest), training.sha256)


def _train_and_sample_models(context: StudyContext) -> None:
    """Train and sample what is not finished. The samples are the last that is made of a model: where they are finished, so is
    the model, and no process has to load torch to find that out."""
    jobs = [
        _build_job(context.config, model)
        for model in training_order(context.config)
        if not is_finished(context.samples_folder(model))
    ]
    for model in context.config.models():
        if is_finished(context.samples_folder(model)):
            context.report_progress(model.name, "training", 1, 1)
            context.report_progress(model.name, "sampling", 1, 1)
    if jobs:
        train_and_sample(context.workspace.settings, jobs, context.report_progress, at_once=context.config.at_once)


def _build_job(config: StudyConfig, model: StudyModel) -> ModelJob:
    return ModelJob(
        name=model.name,
        manifest=model.manifest,
        config=config.training_of(model),
        generations=config.generations,
        first_seed=SAMPLE_SEED,
        sampling_steps=config.sampling_steps,
        checkpoint_updates=config.kept_updates,
        checkpoint_generations=config.kept_generations,
    )


def training_order(config: StudyConfig) -> list[StudyModel]:
    """Return the models in the order of their training: by seed, then twin, then size.

    >>> from services.audit.studies.study_config import load_study_config
    >>> [model.name for model in training_order(load_study_config("smoke"))]
    ['smoke-2a-s0', 'smoke-6a-s0', 'smoke-2b-s0', 'smoke-6b-s0']
    """
    return sorted(config.models(), key=lambda model: (config.seeds.index(model.seed), model.twin, model.size))


def _save(context: StudyContext, content: dict[str, Any]) -> Study:
    data = canonical_json(content)
    digest = sha256_hex(data)
    folder = f"studies/{context.config.name}/{digest[:16]}"
    save_atomically(context.workspace.home / folder / "study.json", data)
    with context.workspace.writing() as session:
        study = find_study(session, digest) or _record(session, context.config, content, folder, digest)
    context.workspace.log.integrate()
    return study


def _record(session: Session, config: StudyConfig, content: dict[str, Any], folder: str, digest: str) -> Study:
    study_id, now = new_id(), utc_now()
    body = StudyCompleted(
        name=config.name,
        dataset=config.dataset,
        config_sha256=config.sha256,
        audits=[point["audit"] for point in content["points"]],
        report_sha256=digest,
    )
    return append_and_add(
        session,
        build_entry(body, at=now, subject={"study": study_id}),
        lambda entry_id: Study(
            id=study_id,
            name=config.name,
            config_sha256=config.sha256,
            folder=folder,
            report_sha256=digest,
            entry_id=entry_id,
            created_at=now,
        ),
    )
