"""A study: slices sealed, models trained and sampled side by side, every model audited, and one curve made of all.

Rules, in order:

1. Slices and control are sealed before the first update of the first model.
2. Every step is durable and found again: a manifest, a model, its samples, and the comparisons of one slice size. A study
   that was killed anywhere goes on behind what is there and comes to the same figures; run again, to the same bytes.
3. Models are trained seed by seed, so that a study that is stopped early has the whole curve for the seeds it finished.
4. `study.json` is canonical JSON without times; the log names its digest, and each audit in it has an entry of its own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlmodel import Session

from services.audit.comparison.compare import Match, match_against
from services.audit.controls import verify_relied_on
from services.audit.models.recorded_models import find_same_model
from services.audit.processes.process_pool import ModelJob, train_and_sample
from services.audit.sampling.sample_shards import is_finished
from services.audit.sampling.samples import samples_folder
from services.audit.studies.size_comparison import SizeComparison, compare_size
from services.audit.studies.study_config import SAMPLE_SEED, StudyConfig, StudyModel
from services.audit.studies.study_content import build_study
from services.audit.studies.study_slices import StudySlices, seal_study_slices
from shared.canonical import canonical_json, sha256_hex
from shared.clock import utc_now
from shared.files import save_atomically
from shared.ids import new_id
from shared.ledger.bodies import StudyCompleted
from shared.ledger.entries import build_entry
from shared.records.entry_rows import append_and_add
from shared.records.manifests import load_manifest
from shared.records.studies import Study, find_study
from shared.vision.embedding import open_embedder
from shared.workspace import Workspace

# Told (model's name, step, done, in all); the steps are "training", "kept", "sampling" and "audit".
OnProgress = Callable[[str, str, int, int], None]


@dataclass(frozen=True)
class FinishedStudy:
    """A study on record, and the content of its `study.json`."""

    record: Study
    content: dict[str, Any]


def run_study(
    workspace: Workspace, config: StudyConfig, on_progress: OnProgress, match: Match = match_against
) -> FinishedStudy:
    """Run a study, or go on with it, or return it where it is finished.

    Args:
        workspace: holds the data set; its settings name the embedder.
        config: what to do.
        on_progress: told how far each model is.
        match: matches generations and controls.

    Raises:
        InputError: the data set has too few distinct pictures, or the embedder's panel lacks a rule that the study rests on.
        ConflictError: the study's names stand for other slices or models.
        UnavailableError: a process died, or another one trains a model of this study.
    """
    embedder = open_embedder(workspace.settings.embedder)
    verify_relied_on(config.relied_on, embedder.name)
    slices = seal_study_slices(workspace, config, embedder)
    _verify_models(workspace, config)
    samples = _train_all(workspace, config, on_progress)
    folder = workspace.home / "studies" / config.name / config.sha256[:16]
    compared: list[SizeComparison] = []
    for size in config.sizes:
        compared.append(compare_size(workspace, config, size, slices, samples, embedder, folder, match))
        for model in config.models():
            if model.size == size:
                on_progress(model.name, "audit", 1, 1)
    content = build_study(workspace, config, embedder, slices, compared)
    return FinishedStudy(_keep(workspace, config, slices, content), content)


def _verify_models(workspace: Workspace, config: StudyConfig) -> None:
    """Check that models of these names are those of this study: samples that are finished are not drawn again, so that a study
    whose training was changed would otherwise find those of the one before."""
    with workspace.reading() as session:
        for model in config.models():
            find_same_model(session, model.name, load_manifest(session, model.manifest), config.training_of(model).sha256)


def _train_all(workspace: Workspace, config: StudyConfig, on_progress: OnProgress) -> dict[str, Path]:
    folders = {
        model.name: samples_folder(workspace, model.name, config.generations, SAMPLE_SEED, config.sampling_steps)
        for model in config.models()
    }
    # The samples are the last that is made of a model; where they are finished, no process need load torch to find that out.
    models = [model for model in training_order(config) if not is_finished(folders[model.name])]
    for name, folder in folders.items():
        if is_finished(folder):
            on_progress(name, "training", 1, 1)
            on_progress(name, "sampling", 1, 1)
    jobs = [
        ModelJob(
            model.name,
            model.manifest,
            config.training_of(model),
            config.generations,
            SAMPLE_SEED,
            config.sampling_steps,
            config.kept_updates,
            config.kept_generations,
        )
        for model in models
    ]

    def on_news(at: int, step: str, done: int, of: int) -> None:
        on_progress(models[at].name, step, done, of)

    if jobs:
        train_and_sample(workspace.settings, jobs, on_news, at_once=config.at_once)
    return folders


def training_order(config: StudyConfig) -> list[StudyModel]:
    """Return the models in the order of their training: by seed, then twin, then size.

    >>> from services.audit.studies.study_config import load_study_config
    >>> [model.name for model in training_order(load_study_config("smoke"))]
    ['smoke-2a-s0', 'smoke-6a-s0', 'smoke-2b-s0', 'smoke-6b-s0']
    """
    return sorted(config.models(), key=lambda model: (config.seeds.index(model.seed), model.twin, model.size))


def _keep(workspace: Workspace, config: StudyConfig, slices: StudySlices, content: dict[str, Any]) -> Study:
    data = canonical_json(content)
    digest = sha256_hex(data)
    folder = f"studies/{config.name}/{digest[:16]}"
    save_atomically(workspace.home / folder / "study.json", data)
    with workspace.writing() as session:
        study = find_study(session, digest)
        if study is None:
            study = _record(session, config, content, folder, digest)
    workspace.log.integrate()
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
