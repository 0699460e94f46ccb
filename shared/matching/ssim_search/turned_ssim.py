"""The best SSIM of each generation over its eight orientations: what `best_ssim` finds, turned by quarters and mirrored.

Rules, in order:

1. A generation is read in each orientation of `copy_detection.orientations`; the item stays as it is. The best of all counts,
   so a control has to be read in the same ones.
2. Upright, all candidates are compared. In each other orientation those `TURNED_CANDIDATES` are whose thumbnails are most like
   the generation's, turned: a copy's is nearly the same. Where there are no more candidates, all of them are.
3. The copy detector looks at every orientation on its own. The item that it names is compared as well, since the nearest by
   embedding of a turned picture may be others than the copied one.
4. The best so far is the floor of each further orientation: pairs that cannot reach it are ruled out by their bounds.
5. Among equal scores the lowest view index wins.
"""

import numpy as np
from numpy.typing import NDArray

from shared.errors import InputError
from shared.matching.copy_detection.orientations import ORIENTATIONS, turn_views
from shared.matching.ssim_search.best_ssim import best_ssim, search_best
from shared.matching.ssim_search.ssim_terms import BoundedViews, Images, Indices, Numbers, Scores

# 7 · 64 pairs beside the 1,000 of the shortlist.
TURNED_CANDIDATES = 64
# Cells a side of a thumbnail, all channels together.
THUMBNAIL_CELLS = 8
# Views whose thumbnails are made at once.
BLOCK_VIEWS = 4096

Thumbnails = NDArray[np.float32]


def best_turned_ssim(
    generations: Images,
    views: BoundedViews | Images,
    candidates: Indices,
    named: Numbers | None = None,
    upright: tuple[Numbers, Scores] | None = None,
) -> tuple[Numbers, Scores]:
    """Find each generation's best match among its candidates, over the eight orientations.

    Args:
        generations: uint8 (g, C, S, S).
        views: n views, with their bounds or without, (n, C, S, S).
        candidates: int (g, k), view indices 0..n-1 or -1 for none.
        named: int64 (g,), the item that the copy detector names, -1 for none; None where it was not asked.
        upright: what `best_ssim` found for the same generations and candidates, where that is known.

    Returns:
        As `best_ssim`: view index int64 (g,), -1 for none; score float64 (g,), -1..1, NaN for none.

    Raises:
        InputError: views that are not square, or as `best_ssim`.

    >>> views = np.zeros((1, 1, 8, 8), np.uint8)
    >>> views[0, 0, :2] = 200
    >>> index, score = best_turned_ssim(np.rot90(views, axes=(2, 3)), views, np.array([[0]]))
    >>> index.tolist(), score.round(3).tolist()
    ([0], [1.0])
    """
    if generations.ndim != 4 or generations.shape[2] != generations.shape[3]:
        raise InputError(f"generations: expected square views (g, C, S, S), got {generations.shape}", code="bad_image_shape")
    found = upright or best_ssim(generations, views, candidates)
    extra = np.full((len(generations), 1), -1, np.int64) if named is None else named[:, None]
    found = search_best(generations, views, extra, found)[:2]
    nearest = _ThumbnailSearch(views.views if isinstance(views, BoundedViews) else views, candidates)
    for orientation in range(1, ORIENTATIONS):
        turned = turn_views(generations, orientation)
        found = search_best(turned, views, np.column_stack([nearest.choose(turned), extra]), found)[:2]
    return found


class _ThumbnailSearch:
    """Chooses among the candidates of each generation by thumbnails.

    Args:
        views: uint8 (n, C, S, S).
        candidates: int (g, k), view indices or -1.
    """

    def __init__(self, views: Images, candidates: Indices) -> None:
        self._candidates = candidates
        if candidates.shape[1] <= TURNED_CANDIDATES:
            return
        self._used = np.unique(candidates[candidates >= 0])
        blocks = range(0, len(self._used), BLOCK_VIEWS)
        made = [_build_thumbnails(views[self._used[start : start + BLOCK_VIEWS]]) for start in blocks]
        self._thumbnails = np.concatenate(made) if made else np.empty((0, THUMBNAIL_CELLS**2), np.float32)

    def choose(self, generations: Images) -> Indices:
        """Return the candidates of each generation that are most like it, int (g, at most `TURNED_CANDIDATES`)."""
        if self._candidates.shape[1] <= TURNED_CANDIDATES:
            return self._candidates
        chosen = np.empty((len(generations), TURNED_CANDIDATES), np.int64)
        for at, thumbnail in enumerate(_build_thumbnails(generations)):
            row = self._candidates[at]
            likeness = (
                self._thumbnails[np.searchsorted(self._used, np.maximum(row, 0)).clip(max=len(self._used) - 1)] @ thumbnail
            )
            likeness[row < 0] = -np.inf
            chosen[at] = row[np.argpartition(-likeness, TURNED_CANDIDATES)[:TURNED_CANDIDATES]]
        return chosen


def _build_thumbnails(views: Images) -> Thumbnails:
    """Shrink views to the means of cells, less the mean of all, at unit length; float32 (n, cells²), zeros of a flat view."""
    side = views.shape[-1]
    starts = np.arange(THUMBNAIL_CELLS) * side // THUMBNAIL_CELLS
    lines = np.add.reduceat(np.asarray(views).sum(axis=1, dtype=np.uint16), starts, axis=1, dtype=np.uint32)
    cells = np.add.reduceat(lines, starts, axis=2).astype(np.float32)
    widths = np.diff(starts, append=side)
    rows = (cells / np.outer(widths, widths)).reshape(len(views), -1)
    rows -= rows.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0), np.float32)
