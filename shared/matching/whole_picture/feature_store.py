"""The local features of a manifest's items, made once and kept beside its views; an item's are read when it is a candidate.

Rules, in order:

1. The index has a row an item: where its features lie, how many there are, the size of its comparison picture, and a digest of
   their bytes. It is small, and held against its own digest when it is opened (`shared.array_store`).
2. The features lie in files of `BLOCK_ROWS` items, each written whole before its rows of the index. So a build that was
   stopped goes on behind its last block.
3. A candidate's bytes are held against their digest each time they are read. Damage is an error of that check, never a
   candidate that is passed over; the next opening after the file is removed builds it again.
4. Files are named by the manifest's root and by what features depend on (`describe_features`).

A feature takes 136 bytes: four numbers of two bytes and the descriptor.
"""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.array_store import BLOCK_ROWS, ArrayPlan, ProgressCallback, StoredArray, load_or_build
from shared.canonical import canonical_json, sha256_hex
from shared.compute.threads import usable_cores
from shared.errors import CorruptStateError
from shared.files import save_atomically
from shared.matching.whole_picture.local_features import (
    DIMENSIONS,
    MAX_FEATURES,
    PLACE_STEPS,
    ComparisonSize,
    LocalFeatures,
    extract_features,
)
from shared.vision.view_store import TrainingBackground, ViewStore

FORMAT = 1
FEATURE_BYTES = 8 + DIMENSIONS
# A row of the index.
_ROW = np.dtype([("offset", "<u8"), ("count", "<u4"), ("width", "<u2"), ("height", "<u2"), ("digest", "V16")])

Picture = NDArray[np.uint8]


def describe_features(size: ComparisonSize) -> dict[str, Any]:
    """Say what the features of a picture depend on: comparison size, number, extractor and its version, format."""
    return {
        "format": FORMAT,
        "longest_px": size.longest_px,
        "shortest_px": size.shortest_px,
        "most": MAX_FEATURES,
        "sift": f"opencv {cv2.__version__}",
    }


@dataclass(frozen=True)
class StoredPictures:
    """The items of a manifest as pictures: a `PictureCorpus` over files.

    Attributes:
        index: a row an item.
        folder: of the files of features.
        store: decodes the pictures.
        blobs: digest of each row's bytes.
        backgrounds: what each row's transparency is laid over.
        size: at which pictures are compared.
    """

    index: StoredArray
    folder: Path
    store: ViewStore
    blobs: Sequence[str]
    backgrounds: Sequence[TrainingBackground]
    size: ComparisonSize

    def load_features(self, row: int) -> LocalFeatures:
        """Return an item's local features.

        Raises:
            CorruptStateError: they are missing or damaged.
        """
        entry = self._entries[row]
        length = int(entry["count"]) * FEATURE_BYTES
        path = _block_path(self.folder, row)
        try:
            with path.open("rb") as file:
                file.seek(int(entry["offset"]))
                data = file.read(length)
        except OSError as error:
            raise CorruptStateError(
                f"the features in {path} cannot be read: {error.strerror}", code="features_damaged"
            ) from error
        if _digest(data) != entry["digest"].tobytes():
            raise CorruptStateError(
                f"the features of item {row} in {path} are damaged; remove the file, and it is made again",
                code="features_damaged",
            )
        return _decode(data, int(entry["count"]), int(entry["width"]), int(entry["height"]))

    def load_picture(self, row: int) -> Picture:
        """Return an item at its comparison size, uint8 (h, w, 3).

        Raises:
            CorruptStateError: its blob is damaged.
            NotFoundError: its blob is missing.
        """
        return np.asarray(self.size.resize(self.store.load_picture(self.blobs[row], self.backgrounds[row])))

    @property
    def _entries(self) -> NDArray[Any]:
        return self.index.rows.view(_ROW)[:, 0]


def load_pictures(
    store: ViewStore,
    manifest_root: str,
    blob_sha256s: Sequence[str],
    size: ComparisonSize,
    report_progress: ProgressCallback | None = None,
    backgrounds: Sequence[TrainingBackground] | None = None,
) -> StoredPictures:
    """Return the items of a manifest as pictures, extracting what is not there.

    Args:
        store: decodes the pictures; the features are kept in its folder.
        manifest_root: the manifest's root, hexadecimal.
        blob_sha256s: the digests of its items' bytes, in its order.
        size: at which pictures are compared.
        report_progress: called with (rows done, rows in all) after each block that is built.
        backgrounds: as `ViewStore.load_stored` takes them.

    Raises:
        CorruptStateError: a blob is damaged.
        NotFoundError: a blob is missing.
    """
    below = backgrounds or ["white"] * len(blob_sha256s)
    name = f"{manifest_root[:32]}-{sha256_hex(canonical_json(describe_features(size)))[:16]}-features"
    folder, path = store.folder / name, store.folder / f"{name}.npy"

    def extract(row: int) -> LocalFeatures:
        return extract_features(size.resize(store.load_picture(blob_sha256s[row], below[row])))

    def make_block(start: int, stop: int) -> NDArray[np.uint8]:
        with ThreadPoolExecutor(usable_cores(), thread_name_prefix="features") as pool:
            features = [*pool.map(extract, range(start, stop))]
        return _save_block(_block_path(folder, start), features)

    folder.mkdir(parents=True, exist_ok=True)
    if not _are_complete(folder, path, len(blob_sha256s)):
        path.unlink(missing_ok=True)
    plan = ArrayPlan((len(blob_sha256s), _ROW.itemsize), "uint8", make_block)
    return StoredPictures(load_or_build(path, plan, report_progress), folder, store, blob_sha256s, below, size)


def _save_block(path: Path, features: Sequence[LocalFeatures]) -> NDArray[np.uint8]:
    """Write the features of a block of items; return its rows of the index."""
    rows, parts, offset = np.zeros(len(features), _ROW), [], 0
    for at, item in enumerate(features):
        data = _encode(item)
        rows[at] = (offset, len(item), item.width, item.height, np.void(_digest(data)))
        offset += len(data)
        parts.append(data)
    save_atomically(path, b"".join(parts))
    return rows.view(np.uint8).reshape(len(rows), -1)


def _are_complete(folder: Path, index_path: Path, count: int) -> bool:
    """Say whether every file of features that a finished index speaks of is there; an unfinished one is gone on with."""
    return not index_path.exists() or all(_block_path(folder, row).exists() for row in range(0, count, BLOCK_ROWS))


def _block_path(folder: Path, row: int) -> Path:
    return folder / f"{row // BLOCK_ROWS:06d}.bin"


def _encode(features: LocalFeatures) -> bytes:
    places = np.rint(features.places * PLACE_STEPS).astype("<u2")
    return places.tobytes() + features.descriptors.tobytes()


def _decode(data: bytes, count: int, width: int, height: int) -> LocalFeatures:
    places = np.frombuffer(data, "<u2", 4 * count).reshape(count, 4).astype(np.float32) / np.float32(PLACE_STEPS)
    descriptors = np.frombuffer(data, np.uint8, offset=8 * count).reshape(count, DIMENSIONS)
    return LocalFeatures(width, height, places, descriptors)


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()[:16]
