"""Training checkpoints, to resume a run from: folders `checkpoint-N`, N the updates taken, named as in diffusers' scripts.

Rules, in order:

1. A checkpoint appears whole or not at all, and holds everything that the next update depends on.
2. It carries the identity of its run (configuration, manifest, images, name). A checkpoint of another run is a conflict.
3. A run resumes from the newest one. After it is durable, older ones are removed.
4. Tensors are safetensors, the rest is JSON: reading a checkpoint runs no code.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from diffusers import UNet2DModel
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from services.audit.training.atomic_folders import new_folder
from services.audit.training.training_state import TrainingState
from shared.canonical import canonical_json
from shared.errors import ConflictError, CorruptStateError

# accelerate's checkpoints hold pickles (`optimizer.bin`, `scheduler.bin`); these take their place.
_TENSORS_FILE = "training_state.safetensors"
_NUMBERS_FILE = "training_state.json"


def checkpoint_folders(folder: Path) -> list[Path]:
    """Return the checkpoints in a model's folder, oldest first."""
    numbered = [path for path in folder.glob("checkpoint-*") if path.name.removeprefix("checkpoint-").isdigit()]
    return sorted(numbered, key=lambda path: int(path.name.removeprefix("checkpoint-")))


def save_checkpoint(folder: Path, state: TrainingState, run: dict[str, Any]) -> Path:
    """Write the state as the newest checkpoint and remove older ones.

    Args:
        folder: the model's folder.
        state: between two updates.
        run: identity of the run, JSON values.

    Returns:
        The checkpoint's folder.
    """
    target = folder / f"checkpoint-{state.step}"
    with new_folder(target) as checkpoint:
        state.unet.save_pretrained(checkpoint / "unet", safe_serialization=True)
        save_file(state.tensors(), checkpoint / _TENSORS_FILE)
        # Not canonical JSON: floats must come back bit for bit, and Python writes them so.
        numbers = json.dumps({"run": run, **state.numbers()}, allow_nan=False)
        (checkpoint / _NUMBERS_FILE).write_text(numbers, encoding="utf-8")
    for path in checkpoint_folders(folder):
        if path != target:
            shutil.rmtree(path)
    return target


def load_newest_run(folder: Path) -> dict[str, Any] | None:
    """Return the identity of the run that the newest checkpoint belongs to, None without a checkpoint.

    Raises:
        CorruptStateError: the checkpoint cannot be read.
    """
    checkpoints = checkpoint_folders(folder)
    if not checkpoints:
        return None
    run: dict[str, Any] = _load_numbers(checkpoints[-1])["run"]
    return run


def restore_newest(folder: Path, state: TrainingState) -> None:
    """Bring a fresh state to the newest checkpoint, or leave it where there is none.

    Raises:
        CorruptStateError: the checkpoint cannot be read.
    """
    checkpoints = checkpoint_folders(folder)
    if not checkpoints:
        return
    numbers = _load_numbers(checkpoints[-1])
    try:
        saved = UNet2DModel.from_pretrained(checkpoints[-1] / "unet", use_safetensors=True, local_files_only=True)
        state.unet.load_state_dict(saved.state_dict())
        state.restore(_load_tensors(checkpoints[-1]), numbers)
    except (OSError, LookupError, ValueError, RuntimeError, SafetensorError) as error:
        raise CorruptStateError(f"{checkpoints[-1].name} cannot be read: {error}", code="checkpoint_damaged") from error


def remove_checkpoints(folder: Path) -> None:
    """Delete all checkpoints, once the model that they led to is durable."""
    for path in checkpoint_folders(folder):
        shutil.rmtree(path)


def verify_same_run(expected: dict[str, Any], got: dict[str, Any]) -> None:
    """Check that what is in a folder belongs to the run that wants to use it.

    Args:
        expected: identity of what is there.
        got: identity of the run asked for.

    Raises:
        ConflictError: they differ; the message names what does.
    """
    for key, value in got.items():
        if canonical_json(expected.get(key)) != canonical_json(value):
            raise ConflictError(
                f"folder holds another training run: expected {key} {expected.get(key)!r}, got {value!r}",
                code="training_run_differs",
            )


def _load_numbers(checkpoint: Path) -> dict[str, Any]:
    try:
        numbers: dict[str, Any] = json.loads((checkpoint / _NUMBERS_FILE).read_bytes())
    except (OSError, ValueError) as error:
        raise CorruptStateError(f"{checkpoint.name} cannot be read: {error}", code="checkpoint_damaged") from error
    return numbers


def _load_tensors(checkpoint: Path) -> dict[str, torch.Tensor]:
    # Copies: the file's own memory is not aligned for vector instructions, and tensors made afresh are.
    return {name: tensor.clone() for name, tensor in load_file(checkpoint / _TENSORS_FILE).items()}
