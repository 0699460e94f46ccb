"""Draw generations from a model, one recorded seed an image, into shards that a killed run can go on from.

Rules, in order:

1. Image i has a random generator of its own, seeded `seed + i`, for its first noise and for the noise of every DDPM step. No
   image's randomness depends on another image.
2. Every batch is computed at the full batch size, the last one too (the surplus is thrown away). Batches start at the first
   image of a shard. So a run that was stopped gives the same bytes as one that was not, with the same weights, settings,
   machine, versions and threads. A smaller count gives the beginning of a larger one.
3. Another batch size or number of threads adds in another order: the noise is the same, grey levels may differ by a rounding
   step. The batch size is part of the settings that are recorded.
4. DDIM is the deterministic sampler (eta 0). Its steps are spaced as the model's scheduler says.
5. A batch size that is not given is fitted once, when a run begins: the largest that one forward pass finds memory for, from
   64 on the CPU and 1,024 on a GPU downwards by halves. It is recorded with the settings. A run that goes on keeps it.
6. Noise is always drawn on the CPU, so that a seed means the same noise on every device.

Source: Ho et al. 2020 (arXiv:2006.11239) for DDPM, Song et al. 2021 (arXiv:2010.02502) for DDIM.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

import numpy as np
import torch
from accelerate.utils.memory import clear_device_cache, should_reduce_batch_size
from diffusers import DDIMScheduler, DDPMScheduler, UNet2DModel

from services.audit.sampling.sample_shards import (
    Samples,
    begin_shards,
    load_samples,
    load_settings,
    save_shard,
    shard_count,
)
from services.audit.training.atomic_folders import locked_folder, remove_unfinished
from services.audit.training.diffusion_model import Scheduler, load_model, weights_sha256
from services.audit.training.train import cpu_threads
from shared.errors import InputError, UnavailableError
from shared.progress import ProgressCallback
from shared.vision.views import Pixels

__all__ = ["Samples", "load_samples", "sample"]

Sampler = Literal["ddim", "ddpm"]
SAMPLERS: tuple[Sampler, ...] = get_args(Sampler)

# At most this many images are made twice after a kill; a shard of 256 × 256 RGB images stays near 12 MB.
SHARD_SIZE = 64
# On two cores larger batches gained nothing at 24 px. A shard begins with a batch, so it is at least as large as one.
LARGEST_BATCH = {"cpu": SHARD_SIZE, "cuda": 1024}
# Seeds are JSON numbers in records: beyond 2**53 they have no exact form there (RFC 8785, section 3.2.2.3).
SEED_LIMIT = 2**53


class Denoiser(Protocol):
    """What is sampled: a network, or what is called as one."""

    config: Any

    def __call__(self, noisy: torch.Tensor, timestep: torch.Tensor) -> Any:
        """Predict for a batch, float32 (B, C, H, W), what the scheduler's prediction type names; the answer's `sample`."""
        ...


def sample(
    model_folder: Path,
    output_folder: Path,
    count: int,
    *,
    seed: int,
    batch_size: int | None = 32,
    steps: int = 50,
    sampler: Sampler = "ddim",
    device: str = "cpu",
    num_threads: int | None = None,
    report_progress: ProgressCallback | None = None,
) -> Samples:
    """Draw generations, or go on with a run that was stopped, or return the finished ones.

    Args:
        model_folder: a model in diffusers' layout.
        output_folder: for these generations alone; made where it is missing.
        count: images, at least 1.
        seed: of image 0; image i has `seed + i`.
        batch_size: images computed at a time, 1 to 64 on the CPU, to 1,024 on a GPU; fitted to memory where it is None.
        steps: denoising steps, 1 to the model's number of training timesteps.
        sampler: `ddim` or `ddpm`.
        device: `cpu` or `cuda`.
        num_threads: CPU threads; where it is not given, what the run began with, or torch's choice.
        report_progress: called after each batch with the images done and the images in all.

    Returns:
        All `count` generations.

    Raises:
        NotFoundError: no model in the folder.
        InputError: the model's weights are not safetensors, or an argument is outside its range.
        ConflictError: the output folder holds generations made otherwise.
        CorruptStateError: a finished shard is damaged.
        UnavailableError: another process samples into this folder.
    """
    largest = LARGEST_BATCH[device]
    _check_arguments(count, seed, batch_size, largest)
    unet, trained_with = load_model(model_folder)
    scheduler = build_sampling_scheduler(trained_with, sampler, steps)
    settings = {
        "weights_sha256": weights_sha256(model_folder),
        "sampler": sampler,
        "steps": steps,
        "timestep_spacing": scheduler.config.timestep_spacing,
        "count": count,
        "seed": seed,
    }
    with locked_folder(output_folder), cpu_threads(_threads(output_folder, num_threads)):
        remove_unfinished(output_folder)
        settings["num_threads"] = torch.get_num_threads()
        unet.to(device)
        settings["batch_size"] = _batch_size(unet, output_folder, batch_size, largest)
        settings["shard_size"] = max(SHARD_SIZE, settings["batch_size"])
        if device != "cpu":
            settings["device"] = device
        _draw_missing_shards(unet, scheduler, output_folder, settings, report_progress)
    return load_samples(output_folder)


def _threads(folder: Path, requested: int | None) -> int:
    # A run that goes on keeps the number it began with, unless it is given another (then its settings conflict).
    earlier = load_settings(folder)
    if requested is None and earlier is not None:
        return int(earlier["num_threads"])
    return requested or torch.get_num_threads()


def _batch_size(unet: UNet2DModel, folder: Path, requested: int | None, largest: int) -> int:
    earlier = load_settings(folder)
    if requested is None and earlier is not None:
        return int(earlier["batch_size"])
    return requested or fit_batch_size(lambda size: _try_batch(unet, size), largest)


def fit_batch_size(try_batch: Callable[[int], None], largest: int) -> int:
    """Return the largest batch size that finds memory, from `largest` downwards by halves.

    Args:
        try_batch: computes one batch of a size.
        largest: at least 1.

    Raises:
        UnavailableError: not even one image finds memory.
    """
    size = largest
    while size > 0:
        try:
            try_batch(size)
        except Exception as error:
            if not should_reduce_batch_size(error):
                raise
            clear_device_cache(garbage_collection=True)
            size //= 2
        else:
            return size
    raise UnavailableError("expected memory for one image, got none", code="out_of_memory")


@torch.no_grad()
def _try_batch(unet: UNet2DModel, size: int) -> None:
    unet(torch.zeros((size, *_image_shape(unet)), device=unet.device), 0)


def _draw_missing_shards(
    unet: UNet2DModel, scheduler: Scheduler, folder: Path, settings: dict[str, Any], report_progress: ProgressCallback | None
) -> None:
    count, batch_size = settings["count"], settings["batch_size"]
    digests = begin_shards(folder, settings)
    shard_size = settings["shard_size"]
    for number in range(len(digests), shard_count(count, shard_size)):
        start = number * shard_size
        end = min(start + shard_size, count)
        batches = []
        for first in range(start, end, batch_size):
            batches.append(draw_batch(unet, scheduler, settings["seed"] + first, batch_size))
            if report_progress is not None:
                report_progress(min(first + batch_size, end), count)
        images = np.concatenate(batches)[: end - start]
        seeds = np.arange(settings["seed"] + start, settings["seed"] + end, dtype=np.int64)
        digests = save_shard(folder, settings, digests, images, seeds)


@torch.no_grad()
def draw_batch(unet: Denoiser, scheduler: Scheduler, first_seed: int, batch_size: int) -> Pixels:
    """Draw one batch, uint8 (batch_size, C, H, W); image i has the seed `first_seed + i`, the scheduler its steps set."""
    shape = _image_shape(unet)
    generators = [torch.Generator().manual_seed(first_seed + i) for i in range(batch_size)]
    images = torch.stack([torch.randn(shape, generator=generator) for generator in generators])
    images = images.to(getattr(unet, "device", "cpu"))
    for timestep in scheduler.timesteps:
        predicted = unet(images, timestep).sample
        images = scheduler.step(predicted, timestep, images, generator=generators).prev_sample
    # From the range -1..1 that the network was trained in back to grey levels.
    levels: Pixels = ((images.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).cpu().numpy()
    return levels


def _image_shape(unet: Denoiser) -> tuple[int, ...]:
    size = unet.config.sample_size
    return (unet.config.in_channels, *((size, size) if isinstance(size, int) else size))


def build_sampling_scheduler(trained_with: Scheduler, sampler: Sampler, steps: int) -> Scheduler:
    limit = trained_with.config.num_train_timesteps
    if not 1 <= steps <= limit:
        raise InputError(f"expected 1 to {limit} steps, got {steps}", code="sampling_steps")
    if sampler not in SAMPLERS:
        raise InputError(f"expected sampler 'ddim' or 'ddpm', got {sampler!r}", code="sampler_unknown")
    scheduler_class = DDIMScheduler if sampler == "ddim" else DDPMScheduler
    scheduler: Scheduler = scheduler_class.from_config(trained_with.config)
    scheduler.set_timesteps(steps)
    return scheduler


def _check_arguments(count: int, seed: int, batch_size: int | None, largest: int) -> None:
    if count < 1 or seed < 0 or seed + count > SEED_LIMIT:
        raise InputError(
            f"expected count >= 1 and seeds from 0 to 2**53, got count {count} from seed {seed}",
            code="sampling_range",
        )
    if batch_size is not None and not 1 <= batch_size <= largest:
        raise InputError(f"expected a batch size from 1 to {largest}, got {batch_size}", code="sampling_batch_size")
