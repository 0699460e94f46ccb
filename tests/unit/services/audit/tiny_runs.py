"""Tiny training and sampling runs, and processes that are killed in the middle of them.

A killed process is a real one, ended by SIGKILL. They are forked from a server that has imported torch once.
"""

import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np

from services.audit.sampling.sample import Samples, sample
from services.audit.training.train import TrainedModel, TrainingConfig, train
from shared.progress import ProgressCallback
from shared.vision.views import Pixels

CONFIG = TrainingConfig(
    resolution=8,
    block_out_channels=(8, 16),
    layers_per_block=1,
    norm_num_groups=4,
    ddpm_num_steps=50,
    ddpm_beta_schedule="squaredcos_cap_v2",
    prediction_type="v_prediction",
    weighting_scheme="logit_normal",
    max_train_steps=9,
    train_batch_size=4,
    learning_rate=2e-3,
    lr_scheduler="one_cycle",
    use_ema=True,
    checkpointing_steps=2,
    num_threads=1,
)

CHECKPOINT_UPDATES = (5,)

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["services.audit.training.train", "services.audit.sampling.sample"])


def build_views(count: int = 5, channels: int = 1) -> Pixels:
    """Return random pictures of 8 × 8 pixels, uint8 (count, channels, 8, 8)."""
    return np.random.default_rng(7).integers(0, 256, (count, channels, 8, 8), dtype=np.uint8)


def run_training(folder: Path, kill_after: int = 0, config: TrainingConfig = CONFIG) -> TrainedModel:
    """Train on `build_views()` with a checkpoint after update 5; a `kill_after` above 0 kills the process then."""
    return train(
        build_views(),
        config,
        folder,
        manifest_root="root-1",
        model_name="tiny",
        report_progress=_killer(kill_after),
        checkpoint_updates=CHECKPOINT_UPDATES,
    )


def run_sampling(model: Path, folder: Path, kill_after: int = 0, count: int = 70, batch_size: int = 16) -> Samples:
    """Draw generations; the process kills itself when `kill_after` images are done, unless that is 0."""
    return sample(
        model,
        folder,
        count,
        seed=100,
        batch_size=batch_size,
        steps=3,
        num_threads=1,
        report_progress=_killer(kill_after),
    )


def run_in_killed_process(job: Callable[..., object], *arguments: object) -> None:
    """Run a job in another process and make sure that SIGKILL ended it."""
    process = _processes.Process(target=job, args=arguments)
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL


def _killer(kill_after: int) -> ProgressCallback:
    def kill_at(done: int, _: int) -> None:
        if done == kill_after:
            os.kill(os.getpid(), signal.SIGKILL)

    return kill_at
