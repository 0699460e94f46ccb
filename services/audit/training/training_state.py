"""The moving parts of a training run, and one update of them.

Rules, in order:

1. All randomness comes from two seeded generators, one for the order of the images and one for noise and timesteps. torch's
   global generator is neither read nor written.
2. `tensors` and `numbers` together hold everything that the next update depends on. A state restored from them takes the same
   updates, bit for bit, on the same machine with the same number of threads.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from diffusers import DDPMScheduler, UNet2DModel
from diffusers.optimization import get_scheduler
from diffusers.training_utils import EMAModel, compute_density_for_timestep_sampling
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR

from services.audit.training.diffusion_model import build_scheduler, build_unet
from services.audit.training.training_config import TrainingConfig
from shared.canonical import sha256_hex
from shared.errors import InputError
from shared.vision.views import Pixels


def stream_seed(seed: int, purpose: str) -> int:
    """Derive the seed of one random stream, so that streams of one run are unrelated.

    >>> stream_seed(0, "noise") != stream_seed(0, "order")
    True
    """
    return int(sha256_hex(f"{seed}/{purpose}".encode())[:12], 16)


class DataOrder:
    """Endless passes over the images, each a fresh permutation, so that every image is seen equally often.

    Args:
        count: images, at least 1.
        seed: of the permutations.
    """

    def __init__(self, count: int, seed: int) -> None:
        self.count = count
        self.generator = torch.Generator().manual_seed(seed)
        self.pending = torch.empty(0, dtype=torch.int64)

    def draw(self, size: int) -> torch.Tensor:
        """Return the indices of the next `size` images, int64 (size,)."""
        while len(self.pending) < size:
            self.pending = torch.cat([self.pending, torch.randperm(self.count, generator=self.generator)])
        indices, self.pending = self.pending[:size], self.pending[size:].clone()
        return indices


@dataclass
class TrainingState:
    """A run between two updates."""

    config: TrainingConfig
    unet: UNet2DModel
    noise_schedule: DDPMScheduler
    optimizer: torch.optim.AdamW
    lr_scheduler: LRScheduler
    ema: EMAModel | None
    order: DataOrder
    noise: torch.Generator
    step: int = 0

    def update(self, views: Pixels) -> None:
        """Take one optimiser update.

        Args:
            views: uint8 (n, C, H, W), the training images.

        Raises:
            InputError: the loss is no longer finite.
        """
        batch = _to_model_range(views, self.order.draw(self.config.train_batch_size))
        loss = self._loss(batch)
        if not torch.isfinite(loss):
            raise InputError(
                f"training diverged at update {self.step + 1}: expected a finite loss, got {loss.item()}; "
                f"lower learning_rate={self.config.learning_rate}",
                code="training_diverged",
            )
        self.optimizer.zero_grad()
        self._descend(loss)
        self.lr_scheduler.step()
        if self.ema is not None:
            self.ema.step(self.unet.parameters())
        self.step += 1

    def _loss(self, images: torch.Tensor) -> torch.Tensor:
        noise = torch.randn(images.shape, generator=self.noise)
        timesteps = self._draw_timesteps(len(images))
        noisy = self.noise_schedule.add_noise(images, noise, timesteps)
        if self.config.prediction_type == "epsilon":
            target = noise
        elif self.config.prediction_type == "sample":
            target = images
        else:
            target = self.noise_schedule.get_velocity(images, noise, timesteps)
        return self._compare(noisy, timesteps, target)

    def _compare(self, noisy: torch.Tensor, timesteps: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.mse_loss(self.unet(noisy, timesteps).sample, target)

    def _descend(self, loss: torch.Tensor) -> None:
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.unet.parameters(), self.config.max_grad_norm)
        self.optimizer.step()

    def _draw_timesteps(self, count: int) -> torch.Tensor:
        share: torch.Tensor = compute_density_for_timestep_sampling(
            self.config.weighting_scheme,
            count,
            logit_mean=self.config.logit_mean,
            logit_std=self.config.logit_std,
            generator=self.noise,
        )
        # The sigmoid of a far draw rounds to 1, which is one past the last timestep.
        return (share * self.config.ddpm_num_steps).long().clamp_(max=self.config.ddpm_num_steps - 1)

    def finish(self) -> UNet2DModel:
        """Return the finished network: with the averaged weights where the run averages them."""
        if self.ema is not None:
            self.ema.copy_to(self.unet.parameters())
        return self.unet

    @contextmanager
    def averaged_weights(self) -> Iterator[UNet2DModel]:
        """Yield the network with the weights of a model that ended now, and restore those of the training afterwards."""
        if self.ema is None:
            yield self.unet
            return
        self.ema.store(self.unet.parameters())
        self.ema.copy_to(self.unet.parameters())
        try:
            yield self.unet
        finally:
            self.ema.restore(self.unet.parameters())

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return all tensors that the next update depends on, but the network's weights."""
        tensors = {
            "order.generator": self.order.generator.get_state(),
            "order.pending": self.order.pending,
            "noise.generator": self.noise.get_state(),
        }
        for index, slots in self.optimizer.state_dict()["state"].items():
            tensors.update({f"optimizer.{index}.{name}": value for name, value in slots.items()})
        if self.ema is not None:
            tensors.update({f"ema.{index}": value for index, value in enumerate(self.ema.shadow_params)})
        return tensors

    def numbers(self) -> dict[str, Any]:
        """Return all JSON values that the next update depends on."""
        ema = None if self.ema is None else {k: v for k, v in self.ema.state_dict().items() if k != "shadow_params"}
        return {
            "step": self.step,
            "param_groups": self.optimizer.state_dict()["param_groups"],
            "lr_scheduler": self.lr_scheduler.state_dict(),
            "ema": ema,
        }

    def restore(self, tensors: Mapping[str, torch.Tensor], numbers: Mapping[str, Any]) -> None:
        """Go to a recorded state; the network's weights are the caller's to load first."""
        self.step = numbers["step"]
        self.order.generator.set_state(tensors["order.generator"])
        self.order.pending = tensors["order.pending"]
        self.noise.set_state(tensors["noise.generator"])
        self.lr_scheduler.load_state_dict(numbers["lr_scheduler"])
        self.optimizer.load_state_dict({"state": _optimizer_slots(tensors), "param_groups": numbers["param_groups"]})
        if self.ema is not None:
            shadow = [tensors[f"ema.{index}"] for index in range(len(self.ema.shadow_params))]
            self.ema.load_state_dict({**numbers["ema"], "shadow_params": shadow})


def build_training_state(config: TrainingConfig, image_count: int) -> TrainingState:
    """Make the state before the first update.

    Args:
        config: what to train and how.
        image_count: training images, at least 1.
    """
    unet = build_unet(config, stream_seed(config.seed, "weights"))
    optimizer = torch.optim.AdamW(
        unet.parameters(),
        lr=config.learning_rate,
        betas=(config.adam_beta1, config.adam_beta2),
        eps=config.adam_epsilon,
        weight_decay=config.adam_weight_decay,
        fused=True,
    )
    return TrainingState(
        config=config,
        unet=unet.train(),
        noise_schedule=build_scheduler(config),
        optimizer=optimizer,
        lr_scheduler=_build_lr_scheduler(config, optimizer),
        ema=_build_ema(config, unet) if config.use_ema else None,
        order=DataOrder(image_count, stream_seed(config.seed, "order")),
        noise=torch.Generator().manual_seed(stream_seed(config.seed, "noise")),
    )


def _build_lr_scheduler(config: TrainingConfig, optimizer: torch.optim.AdamW) -> LRScheduler:
    if config.lr_scheduler == "one_cycle":
        # One step more than there are updates: the schedule takes one when it is made.
        return OneCycleLR(optimizer, max_lr=config.learning_rate, total_steps=config.max_train_steps + 1)
    lr_scheduler: LRScheduler = get_scheduler(
        config.lr_scheduler, optimizer, num_warmup_steps=0, num_training_steps=config.max_train_steps
    )
    return lr_scheduler


def _build_ema(config: TrainingConfig, unet: UNet2DModel) -> EMAModel:
    return EMAModel(
        unet.parameters(),
        decay=config.ema_max_decay,
        use_ema_warmup=True,
        inv_gamma=config.ema_inv_gamma,
        power=config.ema_power,
    )


def _optimizer_slots(tensors: Mapping[str, torch.Tensor]) -> dict[int, dict[str, torch.Tensor]]:
    slots: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in tensors.items():
        part, _, rest = key.partition(".")
        if part == "optimizer":
            index, _, name = rest.partition(".")
            slots.setdefault(int(index), {})[name] = value
    return slots


def _to_model_range(views: Pixels, indices: torch.Tensor) -> torch.Tensor:
    # Grey levels 0..255 to the range -1..1 that the noise schedule is made for (Ho et al. 2020, section 3.3).
    return torch.from_numpy(views[indices.numpy()].astype(np.float32)) / 127.5 - 1
