"""Model checkpoints: the model after some updates, a folder `kept/update-N` in diffusers' layout that can be sampled.

A model that copies little at the end may have copied more before. Whoever picks a checkpoint to publish cannot know without
looking. An audit that samples the checkpoints too can say which was the worst. No training resumes from these: that is what
`training_checkpoints` are for.
"""

from pathlib import Path

from services.audit.training.atomic_folders import new_folder, remove_unfinished
from services.audit.training.diffusion_model import save_model
from services.audit.training.training_state import TrainingState
from shared.errors import NotFoundError


def model_checkpoint_folder(folder: Path, update: int) -> Path:
    """Return where the checkpoint after some updates is.

    Args:
        folder: the finished model's.
        update: number of optimiser updates taken.
    """
    return folder / "kept" / f"update-{update}"


def save_model_checkpoint(folder: Path, state: TrainingState) -> None:
    """Save a model as it is between two updates, replacing what a killed run saved at this update.

    Args:
        folder: the model's, which the caller holds (`atomic_folders.locked_folder`).
        state: the run.
    """
    target = model_checkpoint_folder(folder, state.step)
    target.parent.mkdir(exist_ok=True)
    remove_unfinished(target.parent)
    with new_folder(target) as checkpoint, state.averaged_weights() as unet:
        save_model(unet, state.noise_schedule, checkpoint)


def find_model_checkpoint(folder: Path, update: int) -> Path:
    """Return the folder of a checkpoint.

    Raises:
        NotFoundError: no checkpoint was saved at this update.
    """
    checkpoint = model_checkpoint_folder(folder, update)
    if not checkpoint.is_dir():
        raise NotFoundError(f"model {folder.name!r} was not kept at update {update}", code="kept_model_not_found")
    return checkpoint
