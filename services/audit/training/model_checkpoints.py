"""Models as they were in the course of their training, kept beside the finished one: `kept/update-N` in diffusers' layout.

A model that copies little at the end may have copied more before; whoever picked the checkpoint to publish could not have
known without looking. An audit that samples these too can say which was the worst.
"""

from pathlib import Path

from services.audit.training.atomic_folders import new_folder, remove_unfinished
from services.audit.training.diffusion_model import save_model
from services.audit.training.training_state import TrainingState
from shared.errors import NotFoundError


def kept_model_folder(folder: Path, update: int) -> Path:
    """Return where a model is kept as it was after some updates.

    Args:
        folder: the finished model's.
        update: number of optimiser updates taken.
    """
    return folder / "kept" / f"update-{update}"


def keep_model(folder: Path, state: TrainingState) -> None:
    """Keep a model as it is between two updates, replacing what a killed run kept at this update.

    Args:
        folder: the model's, which the caller holds (`atomic_folders.locked_folder`).
        state: the run.
    """
    target = kept_model_folder(folder, state.step)
    target.parent.mkdir(exist_ok=True)
    remove_unfinished(target.parent)
    with new_folder(target) as kept, state.kept_weights() as unet:
        save_model(unet, state.noise_schedule, kept)


def load_kept_folder(folder: Path, update: int) -> Path:
    """Return the folder of a kept model.

    Raises:
        NotFoundError: the model was not kept at this update.
    """
    kept = kept_model_folder(folder, update)
    if not kept.is_dir():
        raise NotFoundError(f"model {folder.name!r} was not kept at update {update}", code="kept_model_not_found")
    return kept
