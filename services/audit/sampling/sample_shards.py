"""Generations on disk: shards of a fixed number of images, and one JSON file that vouches for them.

Rules, in order:

1. `samples.json` names the model's digest, the sampler and its settings, and the SHA-256 of every finished shard.
2. A shard, `shard-00000.npz` with `images` and `seeds`, is durable before `samples.json` names it. One that is not named is
   made again, so a killed run repeats at most one.
3. A folder holds generations of one model under one set of settings. Other settings are a conflict.
4. Shards are checked against their digests whenever they are read. Arrays are read without pickle.
"""

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.canonical import canonical_json, sha256_hex
from shared.errors import ConflictError, CorruptStateError, NotFoundError, UnavailableError
from shared.files import save_atomically
from shared.vision.views import Pixels
from shared.workspace import Workspace

Seeds = NDArray[np.int64]

SIDECAR_FILE = "samples.json"


@dataclass(frozen=True)
class Samples:
    """Generations of one model.

    `images` are uint8 (count, C, H, W), `seeds` int64 (count,): image i was made from `seeds[i]` alone.
    `settings` says how, in JSON values; `sha256` is the digest of the list of the shards' digests.
    """

    images: Pixels
    seeds: Seeds
    settings: dict[str, Any]
    sha256: str

    @property
    def weights_sha256(self) -> str:
        """Digest of the weights that made them."""
        digest: str = self.settings["weights_sha256"]
        return digest


def samples_folder(
    workspace: Workspace,
    model: str,
    count: int,
    seed: int,
    steps: int,
    *,
    checkpoint_update: int | None = None,
    sampler: str = "ddim",
) -> Path:
    """Return where these samples of a recorded model are; arguments as for `sample_model`, the model by its name."""
    suffix = "" if checkpoint_update is None else f"-update-{checkpoint_update}"
    return workspace.home / "samples" / model / f"{sampler}-{steps}-seed-{seed}-count-{count}{suffix}"


def begin_shards(folder: Path, settings: dict[str, Any]) -> list[str]:
    """Open a folder for generations, a new one or that of a run that was stopped.

    Args:
        folder: made where it is missing.
        settings: what makes the images, JSON values.

    Returns:
        Digests of the shards that are finished and intact, in order.

    Raises:
        ConflictError: the folder holds generations made with other settings.
        CorruptStateError: a finished shard is damaged or missing.
    """
    if not (folder / SIDECAR_FILE).exists():
        _save_sidecar(folder, settings, [])
        return []
    earlier, digests = _load_sidecar(folder)
    for key in sorted(earlier.keys() | settings.keys()):
        expected, got = earlier.get(key), settings.get(key)
        if expected != got:
            raise ConflictError(
                f"folder holds generations made otherwise: expected {key} {expected!r}, got {got!r}",
                code="samples_differ",
            )
    for number, digest in enumerate(digests):
        _read_shard(folder, number, digest)
    return digests


def save_shard(folder: Path, settings: dict[str, Any], digests: list[str], images: Pixels, seeds: Seeds) -> list[str]:
    """Write the next shard, then name it in `samples.json`.

    Args:
        folder: as opened by `begin_shards`.
        settings: the same.
        digests: of the shards finished so far.
        images: uint8 (n, C, H, W).
        seeds: int64 (n,).

    Returns:
        The digests with the new one.
    """
    buffer = io.BytesIO()
    np.savez(buffer, images=images, seeds=seeds)
    data = buffer.getvalue()
    save_atomically(_shard_path(folder, len(digests)), data)
    extended = [*digests, sha256_hex(data)]
    _save_sidecar(folder, settings, extended)
    return extended


def load_samples(folder: Path) -> Samples:
    """Read the generations in a folder.

    Args:
        folder: what `sampling.sample` wrote.

    Returns:
        All of them, in the order of their seeds.

    Raises:
        NotFoundError: no generations there.
        UnavailableError: not all shards are finished yet.
        CorruptStateError: a shard is damaged or missing.
    """
    if not (folder / SIDECAR_FILE).exists():
        raise NotFoundError(f"no generations in {folder.name!r}: expected {SIDECAR_FILE}", code="samples_not_found")
    settings, digests = _load_sidecar(folder)
    expected = shard_count(settings["count"], settings["shard_size"])
    if len(digests) != expected:
        raise UnavailableError(
            f"sampling is not finished: expected {expected} shards, got {len(digests)}",
            code="samples_unfinished",
        )
    shards = [_read_shard(folder, number, digest) for number, digest in enumerate(digests)]
    images, seeds = (np.concatenate(parts) for parts in zip(*shards, strict=True))
    return Samples(images, seeds, settings, sha256_hex(canonical_json(digests)))


def is_finished(folder: Path) -> bool:
    """Say whether a folder names all the generations that were asked for; they are checked when they are read.

    Raises:
        CorruptStateError: `samples.json` cannot be read.
    """
    if not (folder / SIDECAR_FILE).exists():
        return False
    settings, digests = _load_sidecar(folder)
    return len(digests) == shard_count(settings["count"], settings["shard_size"])


def load_settings(folder: Path) -> dict[str, Any] | None:
    """Return the settings of the generations in a folder, None where there are none.

    Raises:
        CorruptStateError: `samples.json` cannot be read.
    """
    return _load_sidecar(folder)[0] if (folder / SIDECAR_FILE).exists() else None


def shard_count(count: int, shard_size: int) -> int:
    """Return how many shards hold `count` images.

    >>> shard_count(130, 64)
    3
    """
    return -(-count // shard_size)


def _read_shard(folder: Path, number: int, digest: str) -> tuple[Pixels, Seeds]:
    path = _shard_path(folder, number)
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise CorruptStateError(f"{path.name} is missing, {SIDECAR_FILE} names it", code="shard_missing") from error
    got = sha256_hex(data)
    if got != digest:
        raise CorruptStateError(f"{path.name} is damaged: expected SHA-256 {digest}, got {got}", code="shard_damaged")
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        return arrays["images"], arrays["seeds"]


def _shard_path(folder: Path, number: int) -> Path:
    return folder / f"shard-{number:05d}.npz"


def _save_sidecar(folder: Path, settings: dict[str, Any], digests: list[str]) -> None:
    save_atomically(folder / SIDECAR_FILE, canonical_json({"settings": settings, "shards": digests}))


def _load_sidecar(folder: Path) -> tuple[dict[str, Any], list[str]]:
    try:
        sidecar = json.loads((folder / SIDECAR_FILE).read_bytes())
        settings, digests = sidecar["settings"], sidecar["shards"]
    except (ValueError, TypeError, LookupError) as error:
        raise CorruptStateError(f"{SIDECAR_FILE} cannot be read: {error}", code="samples_damaged") from error
    return settings, digests
