"""Perceptual hashes of canonical views, packed for comparison with many."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.vision.perceptual_hash import MIN_QUALITY, PackedHashes, hash_image, pack_hashes
from shared.vision.views import Pixels, view_to_image


@dataclass(frozen=True)
class ViewHashes:
    """PDQ hashes of N views.

    Attributes:
        packed: uint64 (N, 4).
        quality: int64 (N,), 0..100.
    """

    packed: PackedHashes
    quality: NDArray[np.int64]

    def __len__(self) -> int:
        """Return the number of views."""
        return len(self.quality)

    def __getitem__(self, rows: slice | NDArray[np.int64]) -> "ViewHashes":
        """Return the hashes of some views."""
        return ViewHashes(self.packed[rows], self.quality[rows])

    @property
    def defined(self) -> NDArray[np.bool_]:
        """Which hashes may be compared."""
        return self.quality >= MIN_QUALITY


def hash_views(views: Pixels) -> ViewHashes:
    """Hash views, uint8 (N, C, H, W).

    >>> hash_views(np.zeros((2, 1, 8, 8), np.uint8)).quality.tolist()
    [0, 0]
    """
    hashes = [hash_image(view_to_image(np.asarray(view)).convert("RGB")) for view in views]
    return ViewHashes(
        pack_hashes([hashed.value for hashed in hashes]), np.array([hashed.quality for hashed in hashes], dtype=np.int64)
    )
