"""Training on record: a model trained here on a sealed manifest, with the log entry that says so.

Rules, in order:

1. A model is trained on a sealed training manifest and on nothing else. Its folder, card and log entry name the root.
2. The record is written after the weights are durable, in one transaction with its entry. A run that was stopped in between
   finds the finished folder and writes the record without training again.
3. A name stands for one model. The same name with another manifest or configuration is a conflict.
"""

from collections.abc import Collection

from sqlmodel import Session

from services.audit.models.recorded_models import find_same_model, record_model, verify_for_training
from services.audit.training.accelerated_training import is_main, main_first, open_accelerator, wait
from services.audit.training.train import TrainedModel, TrainingConfig, train
from services.audit.training_sets.sealed_set import SealedSet, load_sealed_set, load_views
from shared.progress import ProgressCallback
from shared.records.models import Model, load_model_record
from shared.schemas import check_name
from shared.vision.views import ViewRecipe
from shared.workspace import Workspace


def model_recipe(resolution_px: int, channels: int) -> ViewRecipe:
    """Return the recipe of the views that a model of this shape is trained on and compared in."""
    return ViewRecipe(resolution_px=resolution_px, channels=channels)


def train_model(
    workspace: Workspace,
    name: str,
    manifest: str,
    config: TrainingConfig,
    report_progress: ProgressCallback | None = None,
    *,
    checkpoint_updates: Collection[int] = (),
) -> Model:
    """Train a model on a sealed manifest and record it.

    Args:
        workspace: where the manifest is, and where the model goes.
        name: unique name of the model.
        manifest: name or id of a manifest sealed for training.
        config: what to train and how.
        report_progress: called with the updates done and the updates in all.
        checkpoint_updates: numbers of updates after which a checkpoint is saved that can be sampled.

    Returns:
        The model's record; the existing one where this very model is recorded already.

    Raises:
        NotFoundError: there is no such manifest.
        InputError: the manifest was sealed for another purpose.
        ConflictError: the name stands for another model.
    """
    check_name(name)
    sealed = load_sealed_set(workspace, manifest)
    verify_for_training(sealed.manifest)
    with workspace.reading() as session:
        recorded = find_same_model(session, name, sealed.manifest, config.sha256)
    if recorded is not None:
        return recorded
    accelerator = open_accelerator(config)
    with main_first(accelerator):
        views = load_views(workspace, sealed, model_recipe(config.resolution, config.channels))
    trained = train(
        views,
        config,
        workspace.home / "models" / name,
        manifest_root=sealed.manifest.root,
        model_name=name,
        report_progress=report_progress,
        checkpoint_updates=checkpoint_updates,
        accelerator=accelerator,
    )
    if is_main(accelerator):
        with workspace.writing() as session:
            _record(session, name, sealed, config, trained)
        workspace.log.integrate()
    wait(accelerator)
    with workspace.reading() as session:
        return load_model_record(session, name)


def _record(session: Session, name: str, sealed: SealedSet, config: TrainingConfig, trained: TrainedModel) -> Model:
    return record_model(
        session,
        sealed.manifest,
        name=name,
        origin="trained",
        weights_sha256=trained.weights_sha256,
        config_sha256=trained.config_sha256,
        config=config.model_dump(mode="json"),
        resolution_px=config.resolution,
        channels=config.channels,
        updates=trained.updates,
        seed=config.seed,
    )
