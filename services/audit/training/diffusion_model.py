"""A diffusion model as a folder in diffusers' layout: `model_index.json`, `unet/`, `scheduler/`.

Rules, in order:

1. Weights are safetensors. A pickle (`.bin`, `.pt`, `.pth`, `.ckpt`) runs code when it is read, so it is never opened.
2. The digest of a model is the SHA-256 of its weights file; of several files, that of the canonical list of them.
3. Only a `UNet2DModel` with a DDPM or DDIM scheduler is accepted, which is what training makes and what sampling can run.
4. Weights in half precision are a variant, `diffusion_pytorch_model.fp16.safetensors`. It is read where
   there are no others. The network computes in float32 whatever its file holds.
5. Every weight that the network has comes from the file, and every one in the file is used: diffusers would fill what is
   missing with noise.

Source: Ho et al. 2020 (arXiv:2006.11239) for the model, huggingface/diffusers for the layout.
"""

import hashlib
import json
import re
from pathlib import Path
from typing import Any, TypeAlias

import torch
from diffusers import DDIMScheduler, DDPMPipeline, DDPMScheduler, UNet2DModel
from safetensors import SafetensorError

from services.audit.training.training_config import TrainingConfig
from shared.canonical import canonical_json, sha256_hex
from shared.errors import CorruptStateError, InputError, NotFoundError

Scheduler: TypeAlias = DDPMScheduler | DDIMScheduler

# Beside the weights, what a model is: its network's and its scheduler's settings.
CONFIG_FILES = ("unet/config.json", "scheduler/scheduler_config.json")
PICKLE_SUFFIXES = frozenset({".bin", ".pt", ".pth", ".ckpt"})
# One file, or several with an index; a variant's name stands before the suffix.
_WEIGHTS_NAME = re.compile(r"diffusion_pytorch_model(?:\.(?P<variant>[a-z0-9_]+))?(?:-\d{5}-of-\d{5})?\.safetensors", re.ASCII)
# What diffusers and torch raise over files that are not what they say.
_UNREADABLE = (OSError, ValueError, TypeError, LookupError, RuntimeError, ImportError, ArithmeticError, SafetensorError)
# By the name that configurations give them.
SCHEDULERS = {"DDPMScheduler": DDPMScheduler, "DDIMScheduler": DDIMScheduler}


def build_unet(config: TrainingConfig, init_seed: int) -> UNet2DModel:
    """Make the untrained network from `init_seed`, leaving torch's global generator as it was."""
    blocks = len(config.block_out_channels)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(init_seed)
        return UNet2DModel(
            sample_size=config.resolution,
            in_channels=config.channels,
            out_channels=config.channels,
            layers_per_block=config.layers_per_block,
            block_out_channels=config.block_out_channels,
            norm_num_groups=config.norm_num_groups,
            down_block_types=("DownBlock2D",) * blocks,
            up_block_types=("UpBlock2D",) * blocks,
            add_attention=False,
        )


def build_scheduler(config: TrainingConfig) -> DDPMScheduler:
    """Make the noise schedule that the network is trained on."""
    return DDPMScheduler(
        num_train_timesteps=config.ddpm_num_steps,
        beta_schedule=config.ddpm_beta_schedule,
        prediction_type=config.prediction_type,
        timestep_spacing=config.timestep_spacing,
    )


def save_model(unet: UNet2DModel, scheduler: Scheduler, folder: Path) -> None:
    """Write a model into an empty folder, weights as safetensors."""
    DDPMPipeline(unet=unet, scheduler=scheduler).save_pretrained(folder, safe_serialization=True)


def load_model(folder: Path) -> tuple[UNet2DModel, Scheduler]:
    """Read a model from a folder in diffusers' layout, trained here or elsewhere.

    Args:
        folder: holds `model_index.json`, `unet/` and `scheduler/`.

    Returns:
        The network in evaluation mode and its scheduler.

    Raises:
        NotFoundError: the folder or one of its parts is missing. InputError: weights that are not
        safetensors, classes that are not supported, or files that do not parse.
    """
    _, scheduler_class = _read_classes(folder)
    variant = weights_variant(weight_files(folder))
    try:
        unet, mismatches = UNet2DModel.from_pretrained(
            folder / "unet", use_safetensors=True, local_files_only=True, variant=variant, output_loading_info=True
        )
        scheduler = SCHEDULERS[scheduler_class].from_pretrained(folder / "scheduler", local_files_only=True)
    except _UNREADABLE as error:
        raise InputError(f"expected a diffusers model in {folder.name!r}, got: {error}", code="model_unreadable") from error
    wrong = [f"{kind}: {', '.join(map(str, list(keys)[:3]))}" for kind, keys in mismatches.items() if keys]
    if wrong:
        raise InputError(f"expected weights for exactly this network, got {'; '.join(wrong)}", code="weights_do_not_fit")
    return unet.float().eval(), scheduler


def weights_sha256(folder: Path) -> str:
    """Return the digest of a model's weights, 64 hexadecimal digits.

    Raises:
        NotFoundError: the folder has no weights.
        InputError: its weights are not safetensors.
    """
    return digest_weights(weight_files(folder))


def digest_weights(files: list[Path]) -> str:
    """Return the digest of weights in some files, wherever these lie."""
    digests = {path.name: _file_sha256(path) for path in files}
    if len(digests) == 1:
        return next(iter(digests.values()))
    return sha256_hex(canonical_json(digests))


def _file_sha256(path: Path) -> str:
    # Read in parts: weights may be larger than memory.
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verify_weights(folder: Path, expected: str) -> None:
    """Check a model's weights against a recorded digest.

    Raises:
        CorruptStateError: they differ.
    """
    got = weights_sha256(folder)
    if got != expected:
        raise CorruptStateError(f"weights are damaged: expected SHA-256 {expected}, got {got}", code="weights_damaged")


def weight_files(folder: Path) -> list[Path]:
    """Return the files of a model's weights: those in full precision, or else its only variant's; errors as `find_weights`."""
    return find_weights(folder / "unet", shown=f"{folder.name}/unet")


def find_weights(network: Path, *, shown: str, variant: str | None = None) -> list[Path]:
    """Return the files of a network's weights.

    Args:
        network: folder with its configuration and weights.
        shown: what an error calls the folder.
        variant: which weights; None is full precision, or else the only variant.

    Raises:
        NotFoundError: it has none, or none of this variant.
        InputError: they are pickles, or variants among which nothing decides.
    """
    paths, by_variant = sorted(network.glob("*.safetensors")), dict[str, list[Path]]()
    for path in paths:
        match = _WEIGHTS_NAME.fullmatch(path.name)
        if match is not None:
            by_variant.setdefault(match["variant"] or "", []).append(path)
    wanted = variant if variant is not None else "" if "" in by_variant or len(by_variant) != 1 else next(iter(by_variant))
    if wanted in by_variant:
        return by_variant[wanted]
    if by_variant:
        there = ", ".join(name or "full precision" for name in sorted(by_variant))
        raise InputError(
            f"{shown}: expected weights of one variant, got {there}; choose one with `--variant`", code="weights_ambiguous"
        )
    pickles = sorted(path.name for path in network.rglob("*") if path.suffix in PICKLE_SUFFIXES)
    if pickles:
        raise InputError(
            f"{shown}: expected safetensors weights, got pickles, which run code when they are read: "
            f"{', '.join(pickles[:10])}; save the model again with `safe_serialization=True`",
            code="weights_not_safetensors",
        )
    others = f", got {', '.join(path.name for path in paths[:10])}" if paths else ""
    raise NotFoundError(
        f"no weights in {shown}: expected diffusion_pytorch_model*.safetensors{others}", code="model_not_found"
    )


def weights_variant(files: list[Path]) -> str | None:
    """Return the variant that weight files are of, None in full precision."""
    match = _WEIGHTS_NAME.fullmatch(files[0].name)
    return match["variant"] if match is not None else None


def _read_classes(folder: Path) -> tuple[str, str]:
    path = folder / "model_index.json"
    try:
        index: dict[str, Any] = json.loads(path.read_bytes())
        classes = (index["unet"][1], index["scheduler"][1])
    except FileNotFoundError as error:
        raise NotFoundError(f"no model in {folder.name!r}: expected model_index.json", code="model_not_found") from error
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise InputError(
            f"model_index.json of {folder.name!r} names no unet and scheduler", code="model_unreadable"
        ) from error
    if classes[0] != "UNet2DModel" or classes[1] not in SCHEDULERS:
        raise InputError(
            f"expected UNet2DModel with {' or '.join(SCHEDULERS)}, got {classes[0]} with {classes[1]}",
            code="model_class",
        )
    return classes
