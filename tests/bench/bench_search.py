"""Search by image: speed of the scan as a multiple of the plainest one, and what it finds in the real data sets.

Rules, in order:

1. Speed: 1,000,000 random hashes, one query; both sides in one process, in turns; each side's best round counts.
2. Finding: every 20th picture of each set beside the project, changed in one way, searched in all of them. Found means
   within the default distance of its own original.
3. Mistaking: pairs of registered pictures within the default distance that name different creators, as a share of all
   pairs that do; pictures with equal pixels are left out.
4. Prints one JSON line. Without the sets, only speed is measured.
"""

import io
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from itertools import combinations_with_replacement
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from PIL import Image, ImageOps
from sqlmodel import col, select

sys.path.insert(0, str(Path(__file__).parents[2]))

from services.ingest.search.fingerprint_backlog import catch_up
from services.ingest.sources.registry import open_source
from services.ingest.sources.run import add_source
from services.ingest.sources.source import SourceOptions
from shared.records.fingerprints import Fingerprint
from shared.records.items import Item, ItemOwner
from shared.settings import Settings
from shared.vision.image_decoding import decode_image
from shared.vision.near_hash_pairs import near_pairs
from shared.vision.perceptual_hash import (
    MATCH_DISTANCE,
    MIN_QUALITY,
    PackedHashes,
    find_near,
    hash_image,
    measure_distances,
    pack_hashes,
)
from shared.workspace import Workspace, open_workspace
from tests.support.paths import SHARED

DATA = SHARED / "data"
SETS = ("openmoji", "game_icons.tar", "dcss_tiles", "omniglot.parquet")
HASHES, PAIR_HASHES, ROUNDS = 1_000_000, 20_000, 12
EVERY = 20


def encoded(image: Image.Image, kind: str, **options: Any) -> Image.Image:
    """Write a picture in a format and read it again."""
    out = io.BytesIO()
    image.save(out, format=kind, **options)
    return Image.open(out).convert("RGB")


def scaled(image: Image.Image, factor: float) -> Image.Image:
    """Scale a picture."""
    return image.resize((max(round(image.width * factor), 8), max(round(image.height * factor), 8)), Image.Resampling.LANCZOS)


def disturbed(image: Image.Image, levels: float) -> Image.Image:
    """Add normal noise of so many grey levels."""
    noise = np.random.default_rng(0).normal(0, levels, (image.height, image.width, 3))
    return Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))


def cropped(image: Image.Image, share: float) -> Image.Image:
    """Cut a share of each side away at every edge."""
    x, y = round(image.width * share), round(image.height * share)
    return image.crop((x, y, image.width - x, image.height - y))


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "jpeg_75": lambda image: encoded(image, "JPEG", quality=75),
    "jpeg_30": lambda image: encoded(image, "JPEG", quality=30),
    "webp_75": lambda image: encoded(image, "WEBP", quality=75),
    "half_size": lambda image: scaled(image, 0.5),
    "double_size": lambda image: scaled(image, 2),
    "noise_4": lambda image: disturbed(image, 4),
    "brighter": lambda image: image.point(lambda level: min(255, round(level * 0.9 + 20))),
    "crop_2_percent": lambda image: cropped(image, 0.02),
    "crop_10_percent": lambda image: cropped(image, 0.1),
    "mirrored": ImageOps.mirror,
    "turned_90": lambda image: image.transpose(Image.Transpose.ROTATE_90),
    "inverted": ImageOps.invert,
}


def measure_speed() -> dict[str, float]:
    """Time one query against a million hashes, and pairs of a smaller set."""
    hashes = np.asfortranarray(np.random.default_rng(0).integers(0, 2**64, (HASHES, 4), dtype=np.uint64))
    query, rows = hashes[:1], np.ascontiguousarray(hashes)
    plain, scan = [], []
    for _ in range(ROUNDS):
        begun = perf_counter()
        np.flatnonzero(np.bitwise_count(rows ^ query).sum(axis=1, dtype=np.uint16) <= MATCH_DISTANCE)
        plain.append(perf_counter() - begun)
        begun = perf_counter()
        find_near(query, hashes, MATCH_DISTANCE)
        scan.append(perf_counter() - begun)
    begun = perf_counter()
    sum(len(pairs) for pairs in near_pairs(hashes[:PAIR_HASHES], MATCH_DISTANCE))
    pairs_seconds = perf_counter() - begun
    return {
        "million_hashes_ms": round(min(scan) * 1000, 1),
        "multiple_of_plain_scan": round(min(plain) / min(scan), 1),
        "pairs_per_second": round(PAIR_HASHES * (PAIR_HASHES - 1) / 2 / pairs_seconds),
    }


def register_sets(workspace: Workspace) -> None:
    """Register the sets and make all fingerprints."""
    for name in SETS:
        options = SourceOptions(name.partition(".")[0], "bench", workspace.limits.max_bytes)
        add_source(workspace, open_source(DATA / name, options), options)
    catch_up(workspace)


def measure_finding(workspace: Workspace, defined: dict[str, list[Fingerprint]]) -> dict[str, dict[str, float]]:
    """Return by set and change the share of pictures whose original is within the distance."""
    shares = {}
    for dataset, fingerprints in defined.items():
        sample = fingerprints[::EVERY]
        images = [decode_image(workspace.blobs.load(item.blob_sha256), workspace.limits).pixels for item in sample]
        originals = pack_hashes([item.pdq or b"" for item in sample])
        shares[dataset] = {
            name: round(share_found([hash_image(change(image)).value for image in images], originals), 3)
            for name, change in CHANGES.items()
        }
    return shares


def share_found(changed: list[bytes], originals: PackedHashes) -> float:
    """Return the share of hashes within the distance of the original in the same place."""
    return float(np.mean(np.diag(measure_distances(pack_hashes(changed), originals)) <= MATCH_DISTANCE))


def measure_mistaking(items: list[tuple[str, Fingerprint, frozenset[str]]]) -> dict[str, float]:
    """Count the pairs of pictures with different creators, and those of them within the distance."""
    creators = [owned for _, _, owned in items]
    counts = Counter(creators)
    sharing = sum(
        counts[a] * (counts[a] - 1) // 2 if a == b else counts[a] * counts[b]
        for a, b in combinations_with_replacement(counts, 2)
        if a & b
    )
    pairs = len(items) * (len(items) - 1) // 2 - sharing
    near = [
        (int(a), int(b))
        for block in near_pairs(pack_hashes([made.pdq or b"" for _, made, _ in items]), MATCH_DISTANCE)
        for a, b in block
        if not creators[a] & creators[b] and items[a][1].pixels_sha256 != items[b][1].pixels_sha256
    ]
    pictures = len({at for pair in near for at in pair})
    return {"pictures": len(items), "pairs": pairs, "near_pairs": len(near), "pictures_in_one": pictures}


def measure_sets() -> dict[str, Any]:
    """Measure finding and mistaking on the real sets."""
    with tempfile.TemporaryDirectory() as folder:
        workspace = open_workspace(Settings(home=Path(folder), database_url=None))
        register_sets(workspace)
        with workspace.reading() as session:
            owners: dict[str, set[str]] = {}
            for item_id, party_id in session.exec(
                select(ItemOwner.item_id, ItemOwner.party_id).where(ItemOwner.role == "creator")
            ):
                owners.setdefault(item_id, set()).add(party_id)
            rows = session.exec(
                select(Item, Fingerprint)
                .join(Fingerprint, col(Fingerprint.blob_sha256) == col(Item.blob_sha256))
                .order_by(Item.dataset, Item.source_key)
            ).all()
        items = [
            (item.dataset, made, frozenset(owners[item.id]))
            for item, made in rows
            if (made.quality or 0) >= MIN_QUALITY and item.id in owners
        ]
        names = sorted({dataset for dataset, _, _ in items})
        defined = {name: [made for dataset, made, _ in items if dataset == name] for name in names}
        by_set = {name: measure_mistaking([pair for pair in items if pair[0] == name]) for name in names}
        finding = measure_finding(workspace, defined)
        workspace.engine.dispose()
    return {"undefined": len(rows) - len(items), "mistaken": {**by_set, "all": measure_mistaking(items)}, "found": finding}


def main() -> None:
    """Measure and print."""
    print(json.dumps({"speed": measure_speed(), **(measure_sets() if DATA.is_dir() else {})}))  # noqa: T201


if __name__ == "__main__":
    main()
