"""Training in half precision, on a GPU, or on several devices, through accelerate.

Rules, in order:

1. Full precision on the CPU in one process uses none of this: those runs resume bit for bit.
2. Every process draws the order, the noise and the timesteps of the whole batch from the same seeds, and computes its share of
   it. Gradients are averaged. So the run is that of one process with the same configuration, up to the rounding of sums.
3. The main process alone writes: checkpoints, the finished model, the record. The others follow it, update by update.
4. A run that was stopped goes on from the newest checkpoint with the same draws. Only runs under rule 1 resume bit for bit:
   half precision, GPUs and several processes add in an order of their own.
5. Weights, averages and the optimiser's state stay in float32. fp16 scales its loss, and the scale is part of a checkpoint.

Source: huggingface/diffusers, examples/unconditional_image_generation/train_unconditional.py, for the use of accelerate.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list

from services.audit.training.training_checkpoints import restore_newest
from services.audit.training.training_config import TrainingConfig
from services.audit.training.training_state import TrainingState, build_training_state
from shared.errors import InputError
from shared.vision.views import Pixels


def open_accelerator(config: TrainingConfig) -> Accelerator | None:
    """Return the accelerator of a run, or None where rule 1 holds.

    Raises:
        InputError: this machine lacks the precision, the processes cannot share a batch evenly, or this process began with
            another precision.
    """
    # Set by `accelerate launch` and `torchrun`.
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    if config.mixed_precision == "fp16" and not torch.cuda.is_available():
        raise InputError("mixed_precision fp16: expected a GPU, got none; bf16 works on the CPU", code="precision_unavailable")
    if config.train_batch_size % processes:
        raise InputError(
            f"expected a train_batch_size divisible by {processes} processes, got {config.train_batch_size}",
            code="batch_not_shared",
        )
    if processes == 1 and config.mixed_precision == "no" and not torch.cuda.is_available():
        return None
    try:
        return Accelerator(mixed_precision=config.mixed_precision)
    except ValueError as error:
        raise InputError(f"expected one precision in a process, got another: {error}", code="precision_differs") from error


@dataclass
class AcceleratedState(TrainingState):
    """A run between two updates, of which this process computes a share."""

    accelerator: Any = None
    network: Any = None

    def _compare(self, noisy: torch.Tensor, timesteps: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        share = slice(self.accelerator.process_index, None, self.accelerator.num_processes)
        noisy, timesteps, target = (batch[share].to(self.accelerator.device) for batch in (noisy, timesteps, target))
        with self.accelerator.autocast():
            predicted = self.network(noisy, timesteps).sample
        return torch.nn.functional.mse_loss(predicted.float(), target)

    def _descend(self, loss: torch.Tensor) -> None:
        self.accelerator.backward(loss)
        self.accelerator.clip_grad_norm_(self.network.parameters(), self.config.max_grad_norm)
        self.optimizer.step()

    def numbers(self) -> dict[str, Any]:
        """Return all JSON values that the next update depends on."""
        scaler = self.accelerator.scaler
        return super().numbers() | {"scaler": None if scaler is None else scaler.state_dict()}

    def restore(self, tensors: Mapping[str, torch.Tensor], numbers: Mapping[str, Any]) -> None:
        """Go to a recorded state; the network's weights are the caller's to load first."""
        super().restore(tensors, numbers)
        if self.ema is not None:
            self.ema.to(self.accelerator.device)
        if self.accelerator.scaler is not None and numbers.get("scaler") is not None:
            self.accelerator.scaler.load_state_dict(numbers["scaler"])


def accelerate_state(state: TrainingState, accelerator: Accelerator) -> AcceleratedState:
    """Spread a run over the devices before its first update."""
    parts = {field.name: getattr(state, field.name) for field in fields(TrainingState)}
    network = accelerator.prepare_model(state.unet)
    parts["optimizer"] = accelerator.prepare_optimizer(state.optimizer)
    if state.ema is not None:
        state.ema.to(accelerator.device)
    return AcceleratedState(**parts, accelerator=accelerator, network=network)


def begin_state(config: TrainingConfig, image_count: int, folder: Path, accelerator: Accelerator | None) -> TrainingState:
    """Make the state of a run, at its newest checkpoint where there is one; all processes together."""
    state = build_training_state(config, image_count)
    if accelerator is None:
        restore_newest(folder, state)
        return state
    signal_followers(accelerator, go_on=True)
    spread = accelerate_state(state, accelerator)
    restore_newest(folder, spread)
    # The main process replaces the checkpoint before long: everyone has read it by then.
    accelerator.wait_for_everyone()
    return spread


def follow(views: Pixels, config: TrainingConfig, folder: Path, accelerator: Accelerator) -> None:
    """Do the share of a process that is not the main one, until the main one has written the finished model."""
    if signal_followers(accelerator, go_on=False):
        state = accelerate_state(build_training_state(config, len(views)), accelerator)
        restore_newest(folder, state)
        accelerator.wait_for_everyone()
        while state.step < config.max_train_steps:
            state.update(views)
    accelerator.wait_for_everyone()


def signal_followers(accelerator: Accelerator | None, *, go_on: bool) -> bool:
    """Send from the main process to all whether there is anything to train; returns what it sent."""
    if accelerator is None:
        return go_on
    message = [go_on]
    broadcast_object_list(message)
    return message[0]


@contextmanager
def main_first(accelerator: Accelerator | None) -> Iterator[None]:
    """Let the main process through the block before the others, which then find what it made."""
    if accelerator is None:
        yield
        return
    with accelerator.main_process_first():
        yield


def is_main(accelerator: Accelerator | None) -> bool:
    """Say whether this process writes."""
    return accelerator is None or bool(accelerator.is_main_process)


def wait(accelerator: Accelerator | None) -> None:
    """Wait until every process is here."""
    if accelerator is not None:
        accelerator.wait_for_everyone()
