"""Train an unconditional diffusion model on views, into a folder in diffusers' layout.

Rules, in order:

1. A folder holds one run: the same configuration, manifest, images and name. Another run there is a conflict.
2. A finished folder (`training.json` is there and the weights have its digest) is returned without training again.
3. A run that was stopped anywhere, by a signal or a power cut, resumes from its newest checkpoint. It reaches the very weights
   of a run that was not stopped: bit for bit on the same machine, versions and number of threads. Where the configuration
   leaves the number of threads open, a run keeps the one it began with.
4. `training.json` is written last, after everything it vouches for is durable. Then the checkpoints to resume are removed.
5. One process at a time trains in a folder, unless they train together (`accelerated_training`): then the main one holds it.
6. Where a caller asks for it, checkpoints of the model are saved beside the finished one (`model_checkpoints`), so that they
   can be sampled too. They change nothing in the run.

Source: Ho et al. 2020 (arXiv:2006.11239), algorithm 1.
"""

import json
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator

from services.audit.training.accelerated_training import begin_state, follow, is_main, signal_followers, wait
from services.audit.training.atomic_folders import locked_folder, new_folder, remove_unfinished
from services.audit.training.diffusion_model import save_model, verify_weights, weights_sha256
from services.audit.training.model_card import build_model_card
from services.audit.training.model_checkpoints import save_model_checkpoint
from services.audit.training.training_checkpoints import (
    load_newest_run,
    remove_checkpoints,
    save_checkpoint,
    verify_same_run,
)
from services.audit.training.training_config import TrainingConfig
from services.audit.training.training_state import TrainingState
from shared.canonical import canonical_json, sha256_hex
from shared.errors import ConflictError, CorruptStateError, InputError, NotFoundError
from shared.files import save_atomically
from shared.progress import ProgressCallback
from shared.vision.views import Pixels

__all__ = ["TrainedModel", "TrainingConfig", "cpu_threads", "load_training_config", "train"]


RECORD_FILE = "training.json"


@dataclass(frozen=True)
class TrainedModel:
    """A finished model's folder and what identifies it."""

    folder: Path
    weights_sha256: str
    config_sha256: str
    updates: int


def train(
    views: Pixels,
    config: TrainingConfig,
    folder: Path,
    *,
    manifest_root: str,
    model_name: str,
    report_progress: ProgressCallback | None = None,
    checkpoint_updates: Collection[int] = (),
    accelerator: Accelerator | None = None,
) -> TrainedModel:
    """Train a model, or go on with a run that was stopped, or return the one that is finished.

    Args:
        views: uint8 (n, C, H, W), the training images in the manifest's order; C and H = W as in `config`.
        config: what to train and how.
        folder: of this model alone; made where it is missing.
        manifest_root: Merkle root of the manifest that the views come from.
        model_name: named on the model card.
        report_progress: called after each update with the updates done and the updates in all.
        checkpoint_updates: numbers of updates after which a checkpoint is saved that can be sampled (`model_checkpoints`).
        accelerator: spreads the run over devices (`open_accelerator`); all processes call this together.

    Returns:
        The finished model.

    Raises:
        InputError: the views do not have the configuration's shape, or training diverged.
        ConflictError: the folder holds another run or another model.
        CorruptStateError: a checkpoint or the finished weights are damaged.
        UnavailableError: another process trains in this folder.
    """
    _check_views(views, config)
    run = {
        "model_name": model_name,
        "manifest_root": manifest_root,
        "config_sha256": config.sha256,
        "views_sha256": _views_sha256(views),
    }
    if accelerator is not None and not is_main(accelerator):
        follow(views, config, folder, accelerator)
        return _load_record_of(folder, run)
    trained = _train_alone(views, config, folder, run, report_progress, checkpoint_updates, accelerator)
    wait(accelerator)
    return trained


def _train_alone(
    views: Pixels,
    config: TrainingConfig,
    folder: Path,
    run: dict[str, Any],
    report_progress: ProgressCallback | None,
    checkpoint_updates: Collection[int],
    accelerator: Accelerator | None,
) -> TrainedModel:
    """Do what one process does, alone or as the main one."""
    with locked_folder(folder):
        finished = _load_finished(folder, run)
        if finished is not None:
            remove_checkpoints(folder)
            signal_followers(accelerator, go_on=False)
            return finished
        remove_unfinished(folder)
        threads = _resume_threads(folder, run, config)
        with cpu_threads(threads):
            state = begin_state(config, len(views), folder, accelerator)
            _run_updates(state, views, folder, run | {"num_threads": threads}, report_progress, checkpoint_updates)
            return _save_finished(state, folder, run, threads, image_count=len(views))


def load_training_config(folder: Path) -> TrainingConfig:
    """Read what a finished model was trained with.

    Raises:
        NotFoundError: the folder has no record of a training, as for a model trained elsewhere.
        CorruptStateError: the record cannot be read.
    """
    record = _load_record(folder)
    if record is None:
        raise NotFoundError(f"no {RECORD_FILE} in {folder.name!r}", code="training_record_not_found")
    return TrainingConfig(**record["config"])


@contextmanager
def cpu_threads(count: int) -> Iterator[None]:
    """Let torch use this many CPU threads inside the block; the number shows in the last bits of results."""
    previous = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(previous)


def _run_updates(
    state: TrainingState,
    views: Pixels,
    folder: Path,
    run: dict[str, Any],
    report_progress: ProgressCallback | None,
    checkpoint_updates: Collection[int],
) -> None:
    total = state.config.max_train_steps
    while state.step < total:
        state.update(views)
        # Before the checkpoint to resume from: a run that resumes behind it has saved what it passed.
        if state.step in checkpoint_updates:
            save_model_checkpoint(folder, state)
        if state.step % state.config.checkpointing_steps == 0 or state.step == total:
            save_checkpoint(folder, state, run)
        if report_progress is not None:
            report_progress(state.step, total)


def _save_finished(state: TrainingState, folder: Path, run: dict[str, Any], threads: int, *, image_count: int) -> TrainedModel:
    with new_folder(folder / "finished") as finished:
        save_model(state.finish(), state.noise_schedule, finished)
        digest = weights_sha256(finished)
        card = build_model_card(
            run["model_name"],
            state.config,
            manifest_root=run["manifest_root"],
            image_count=image_count,
            weights_sha256=digest,
        )
        (finished / "README.md").write_text(card, encoding="utf-8")
    _move_contents(folder / "finished", folder)
    record = run | {
        "config": state.config.model_dump(mode="json"),
        "weights_sha256": digest,
        "updates": state.step,
        "num_threads": threads,
        "torch_version": str(torch.__version__),
    }
    save_atomically(folder / RECORD_FILE, canonical_json(record))
    remove_checkpoints(folder)
    return TrainedModel(folder, digest, state.config.sha256, state.step)


def _load_finished(folder: Path, run: dict[str, Any]) -> TrainedModel | None:
    record = _load_record(folder)
    if record is None:
        return None
    verify_same_run(record, run)
    verify_weights(folder, record["weights_sha256"])
    return TrainedModel(folder, record["weights_sha256"], record["config_sha256"], record["updates"])


def _load_record_of(folder: Path, run: dict[str, Any]) -> TrainedModel:
    finished = _load_finished(folder, run)
    if finished is None:
        raise CorruptStateError("the main process wrote no finished model", code="training_record_damaged")
    return finished


def _load_record(folder: Path) -> dict[str, Any] | None:
    try:
        record: dict[str, Any] = json.loads((folder / RECORD_FILE).read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise CorruptStateError(f"{RECORD_FILE} is not JSON: {error}", code="training_record_damaged") from error
    return record


def _resume_threads(folder: Path, run: dict[str, Any], config: TrainingConfig) -> int:
    earlier = load_newest_run(folder)
    if earlier is None:
        if (folder / "model_index.json").exists():
            raise ConflictError(
                f"expected an empty folder or a run that was stopped, got a model in {folder.name!r}",
                code="folder_taken",
            )
        return config.num_threads or torch.get_num_threads()
    threads = int(earlier.pop("num_threads"))
    verify_same_run(earlier, run)
    return threads


def _move_contents(source: Path, target: Path) -> None:
    for path in sorted(source.iterdir()):
        destination = target / path.name
        if destination.is_dir():
            shutil.rmtree(destination)
        path.rename(destination)
    source.rmdir()


def _check_views(views: Pixels, config: TrainingConfig) -> None:
    expected = (config.channels, config.resolution, config.resolution)
    if views.dtype != np.uint8 or views.ndim != 4 or views.shape[1:] != expected or len(views) < 1:
        raise InputError(
            f"expected at least one view, uint8 of shape (n, *{expected}), got {views.dtype} {views.shape}",
            code="views_shape",
        )


def _views_sha256(views: Pixels) -> str:
    shape = canonical_json(list(views.shape))
    return sha256_hex(shape + np.ascontiguousarray(views).tobytes())
