"""What the SSIM search needs of each view alone, and the checks of its arguments.

Rules, in order:

1. Images are uint8, (C, H, W), C 1 or 3, sides 7..512 px, all of one size.
2. `SsimTerms` hold what depends on a view alone, computed once: 6 bytes a pixel and channel beside the pixels.
3. `BoundedViews` hold only what bounds a score, 3 KB for 64 × 64 × 3. That suits few generations among many views.
4. Row i of the candidates lists the views for generation i. -1 is no candidate; None means every view. Rows may be longer than
   there are views, and may repeat them.

Source: Wang et al. 2004, equation 13 (see `shared.vision.similarity.compiled_ssim`).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.compute.threads import cut_evenly, in_threads, usable_cores
from shared.errors import InputError
from shared.vision.similarity.compiled_ssim import fill_terms, group_sizes
from shared.vision.similarity.ssim_constants import UNIFORM_SIDE_PX

# Canonical views are at most this large; int32 indices and sums are checked up to here.
LARGEST_SIDE_PX = 512

Images = NDArray[np.uint8]
Indices = NDArray[np.integer[Any]]
Scores = NDArray[np.float64]
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class SsimTerms:
    """What SSIM needs of n views, each alone. Rows keep the image's width; their last 6 positions are unused.

    Attributes:
        pixels: uint8 (n, C, H·W).
        sums: int16 (n, C, (H - 6)·W), sum of each window.
        spreads: float32 (n, C, (H - 6)·W), 49 · 48 times each window's sample variance.
        means: float32 (n, 4, groups), means over groups of windows, from which the search bounds a score.
        shape: (C, H, W).
    """

    pixels: Images
    sums: NDArray[np.int16]
    spreads: NDArray[np.float32]
    means: NDArray[np.float32]
    shape: tuple[int, int, int]

    def __len__(self) -> int:
        """Return the number of views."""
        return len(self.pixels)


@dataclass(frozen=True)
class BoundedViews:
    """Views with the means that bound their scores, for the search for the best.

    Attributes:
        views: uint8 (n, C, H, W); may be memory-mapped.
        means: float32 (n, 4, groups), as `build_means` makes them; may be memory-mapped.
    """

    views: Images
    means: NDArray[np.float32]

    def __len__(self) -> int:
        """Return the number of views."""
        return len(self.views)


def means_shape(shape: tuple[int, int, int]) -> tuple[int, int]:
    """Return the shape of the means of one view (C, H, W).

    >>> means_shape((3, 64, 64))
    (4, 192)
    """
    channels, height_px, width_px = shape
    return 4, len(group_sizes(channels, height_px - UNIFORM_SIDE_PX + 1, width_px - UNIFORM_SIDE_PX + 1))


def build_means(views: Images) -> NDArray[np.float32]:
    """Compute the means that bound the scores of views, float32 (n, 4, groups).

    Args:
        views: as for `build_terms`, which holds more than three times their size while it works.

    Raises:
        InputError: as `build_terms`.
    """
    return build_terms(views).means


def build_terms(views: Images) -> SsimTerms:
    """Compute what SSIM needs of each view alone.

    Args:
        views: uint8 (n, C, H, W), C 1 or 3, sides 7..512 px.

    Returns:
        The terms; `pixels` shares memory with contiguous views.

    Raises:
        InputError: another dtype or shape, or a side outside 7..512 px.

    >>> build_terms(np.full((2, 1, 8, 8), 9, np.uint8)).sums.max().item()
    441
    """
    shape = verified_shape(views, "views")
    channels, height_px, width_px = shape
    pixels = as_planes(views)
    rows, columns = height_px - UNIFORM_SIDE_PX + 1, width_px - UNIFORM_SIDE_PX + 1
    positions = rows * width_px
    sums = np.zeros((*pixels.shape[:2], positions), np.int16)
    spreads = np.zeros((*pixels.shape[:2], positions), np.float32)
    means = np.zeros((len(pixels), 4, len(group_sizes(channels, rows, columns))), np.float32)
    parts = cut_evenly(len(pixels), usable_cores())
    in_threads(lambda start, stop: fill_terms(pixels, width_px, sums, spreads, means, start, stop), parts)
    return SsimTerms(pixels, sums, spreads, means, shape)


def as_planes(images: Images) -> Images:
    """Return images (n, C, H, W) as contiguous planes, (n, C, H·W)."""
    count, channels, height_px, width_px = images.shape
    return np.ascontiguousarray(images).reshape(count, channels, height_px * width_px)


def verified_shape(images: Images, name: str) -> tuple[int, int, int]:
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1] not in {1, 3}:
        raise InputError(
            f"{name}: expected uint8 (n, 1 or 3, H, W), got {images.dtype} {images.shape}", code="bad_image_shape"
        )
    _, channels, height_px, width_px = images.shape
    if not UNIFORM_SIDE_PX <= min(height_px, width_px) <= max(height_px, width_px) <= LARGEST_SIDE_PX:
        raise InputError(
            f"{name}: expected sides of {UNIFORM_SIDE_PX}..{LARGEST_SIDE_PX} px, got {height_px} × {width_px} px",
            code="bad_image_size",
        )
    return channels, height_px, width_px


def verified_candidates(generations: Images, views: SsimTerms | BoundedViews | Images, candidates: Indices | None) -> Numbers:
    """Check the arguments of a search and return its candidates.

    Args:
        generations: as for `best_ssim.best_ssim`.
        views: likewise.
        candidates: likewise.

    Returns:
        int64 (g, k), or (1, n) where every view is a candidate.

    Raises:
        InputError: images or candidates are not as stated there, or sizes differ.
    """
    shape = verified_shape(generations, "generations")
    if isinstance(views, BoundedViews):
        expected = verified_shape(views.views, "views")
    else:
        expected = views.shape if isinstance(views, SsimTerms) else verified_shape(views, "views")
    if shape != expected:
        raise InputError(f"generations: expected (C, H, W) {expected} as the views have, got {shape}", code="unequal_shapes")
    if candidates is None:
        return np.arange(len(views), dtype=np.int64)[None]
    if candidates.ndim != 2 or len(candidates) != len(generations) or candidates.dtype.kind not in "iu":
        raise InputError(
            f"candidates: expected integers ({len(generations)}, k), got {candidates.dtype} {candidates.shape}",
            code="bad_candidates",
        )
    if candidates.size and not -1 <= candidates.min() <= candidates.max() < len(views):
        raise InputError(
            f"candidates: expected -1..{len(views) - 1}, got {candidates.min()}..{candidates.max()}",
            code="bad_candidates",
        )
    return np.ascontiguousarray(candidates, dtype=np.int64)
