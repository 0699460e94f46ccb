"""An item laid over a generation at its own resolution: where they agree, which region shows the item, and how much of each.

Rules, in order:

1. The item is drawn into the generation by the map that was found. Both are smoothed alike, in luma.
2. Windows of 16 × 16 px, eight apart, are compared by SSIM's contrast and structure terms, -1..1, after one gain for all. What
   is fainter than `_GRAIN` is no evidence.
3. A window counts by its content, v / (v + 100), so that flat windows, which agree with everything flat, count nothing.
4. The region is where windows agree, or are flat in both in the same tone. Gaps of one window are closed, single windows left
   out. It is the convex hull of what remains, within the item's outline.
5. Shares are of areas: the region in the generation, and the region in the item.

Source of rule 2: Wang et al. 2004, equations 6 and 10 to 13.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

# Side of a window and distance of two, px of what is compared.
WINDOW_PX, STEP_PX = 16, 8
# Longest side at which a region is compared: finer detail tells no more, and costs.
_COMPARED_PX = 256
# Rules 2 and 3, squared levels.
_GRAIN, _CONTENT = 30.0, 100.0
_AGREES, _CONTRADICTS = 0.5, 0.2
# Rule 4: flat windows of one tone; content below which a window is flat.
_SAME_TONE, _FLAT = 24.0, 0.2
_LEAST_GAIN, _MOST_GAIN = 0.4, 2.5
# A region whose outline is smaller than this shows too little to be compared, px.
_LEAST_SIDE_PX = 24
_OPEN = 1.05

Floats = NDArray[np.float64]
Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Overlay:
    """What an item laid over a generation shows.

    Attributes:
        region: float64 (v, 2), corners of the region in px of the generation, in order; none where nothing agrees.
        outline: float64 (v, 2), the item's outline, cut off at the generation's border.
        size: width and height of the generation at its comparison size, px, float64 (2,).
        item_size: likewise of the item.
        share_of_generation: of its area, 0..1.
        share_of_item: of its area, 0..1.
        agreement: mean over the windows within the outline, by content, -1..1.
        agreeing: share of content in windows that agree, 0..1.
        contradicted: share of content in windows that show something else, 0..1.
        information: nats that the item gives about the generation, over the windows that agree.
        cells: float32 (r, c), agreement of each window of the whole generation, NaN outside the outline.
    """

    region: Floats
    outline: Floats
    size: Floats
    item_size: Floats
    share_of_generation: float
    share_of_item: float
    agreement: float
    agreeing: float
    contradicted: float
    information: float
    cells: NDArray[np.float32]

    @classmethod
    def nothing(cls, generation: Picture, item: Picture) -> "Overlay":
        """Return the overlay of an item of which too little shows to be compared."""
        sizes = _size(generation), _size(item)
        return cls(np.empty((0, 2)), np.empty((0, 2)), *sizes, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, np.empty((0, 0), np.float32))

    @property
    def informed_agreement(self) -> float:
        """Agreement times information, 0..20 or so: a line on white agrees with any line on white."""
        return float(-np.log(_OPEN - min(self.agreeing, 1.0)) * np.log1p(self.information))


def lay_over(generation: Picture, item: Picture, affine: Floats) -> Overlay | None:
    """Lay an item over a generation.

    Args:
        generation: uint8 (H, W, 3), at its comparison size.
        item: uint8 (h, w, 3), likewise.
        affine: (2, 3), from the item's px to the generation's.

    Returns:
        What agrees; None where less of the item is shown than can be compared.
    """
    outline = _clip(_map(_corners(item), affine), generation)
    if len(outline) < 3:
        return None
    low, high = np.floor(outline.min(axis=0)), np.ceil(outline.max(axis=0)) + 1
    if (high - low).min() < _LEAST_SIDE_PX:
        return None
    factor = min(1.0, _COMPARED_PX / float((high - low).max()))
    width, height = (max(WINDOW_PX, int(side)) for side in np.rint((high - low) * factor))
    # From the generation's px to those compared.
    zoom = np.array([[factor, 0, -low[0] * factor], [0, factor, -low[1] * factor]])
    ours = _warp(generation, zoom, (width, height))
    theirs = _warp(item, zoom @ np.vstack([affine, [0, 0, 1]]), (width, height))
    mask = np.zeros((height, width), np.float32)
    cv2.fillConvexPoly(mask, np.rint(_map(outline, zoom)).astype(np.int32), 1.0)
    sums = _compare(ours, theirs, mask)
    region = _find_region(sums, factor, low, outline)
    return _measure(generation, item, affine, outline, region, sums)


@dataclass(frozen=True)
class _Windows:
    """Figures of each window, float64 (r, c), of those compared."""

    agreement: Floats
    content: Floats
    tone: Floats
    information: Floats
    is_inside: NDArray[np.bool_]


def _compare(ours: Floats, theirs: Floats, mask: NDArray[np.float32]) -> _Windows:
    covered = _means(mask)
    weight = np.maximum(covered, 1e-6)
    mean, item_mean, squares, item_squares, products = (
        _means(plane * mask) / weight for plane in (ours, theirs, ours * ours, theirs * theirs, ours * theirs)
    )
    variance, item_variance = np.maximum(squares - mean**2, 0), np.maximum(item_squares - item_mean**2, 0)
    covariance = products - mean * item_mean
    is_inside = covered > 0.75
    gain, offset = _fit_tone(mean, item_mean, variance, item_variance, is_inside)
    agreement = (2 * gain * covariance + _GRAIN) / (variance + gain**2 * item_variance + _GRAIN)
    richer = np.maximum(variance, gain**2 * item_variance)
    local = np.clip((covariance + _GRAIN) / (item_variance + _GRAIN), 0.3, 3.0)
    unexplained = np.maximum(variance - 2 * local * covariance + local**2 * item_variance, 0)
    return _Windows(
        agreement,
        richer / (richer + _CONTENT) * is_inside,
        np.abs(mean - gain * item_mean - offset),
        0.5 * np.log((variance + _GRAIN) / (unexplained + _GRAIN)),
        is_inside,
    )


def _fit_tone(
    mean: Floats, item_mean: Floats, variance: Floats, item_variance: Floats, is_inside: NDArray[np.bool_]
) -> tuple[float, float]:
    """Return one gain and offset for all windows; medians, so that what is painted over does not pull at them."""
    drawn = is_inside & (variance > _GRAIN) & (item_variance > _GRAIN)
    gain = float(np.median(np.sqrt(variance[drawn] / item_variance[drawn]))) if drawn.any() else 1.0
    gain = min(max(gain, _LEAST_GAIN), _MOST_GAIN)
    return gain, float(np.median((mean - gain * item_mean)[is_inside])) if is_inside.any() else 0.0


def _find_region(windows: _Windows, factor: float, low: Floats, outline: Floats) -> Floats:
    flat = windows.is_inside & (windows.content < _FLAT) & (windows.tone < _SAME_TONE)
    agrees = windows.is_inside & ((windows.agreement > _AGREES) & (windows.content >= _FLAT) | flat)
    cells = agrees.astype(np.uint8)
    kernel = np.ones((3, 3), np.uint8)
    closed = cv2.morphologyEx(cv2.morphologyEx(cells, cv2.MORPH_CLOSE, kernel), cv2.MORPH_OPEN, kernel)
    cells = np.where(windows.is_inside, closed, 0)
    count, labels = cv2.connectedComponents(cells.astype(np.uint8), connectivity=8)
    if count < 2:
        return np.empty((0, 2))
    drawn = np.array([(windows.content * (labels == label)).sum() for label in range(count)])
    drawn[0] = 0
    if drawn.max() == 0:
        return np.empty((0, 2))
    rows, columns = np.nonzero(np.isin(labels, np.nonzero(drawn >= 0.1 * drawn.max())[0]) & (labels > 0))
    corners = np.concatenate(
        [np.stack([columns * STEP_PX + dx, rows * STEP_PX + dy], axis=1) for dx in (0, WINDOW_PX) for dy in (0, WINDOW_PX)]
    )
    hull = cv2.convexHull(corners.astype(np.float32))[:, 0] / factor + low
    _, region = cv2.intersectConvexConvex(hull.astype(np.float32), outline.astype(np.float32))
    return np.empty((0, 2)) if region is None or len(region) < 3 else region[:, 0].astype(np.float64)


def _measure(
    generation: Picture, item: Picture, affine: Floats, outline: Floats, region: Floats, windows: _Windows
) -> Overlay:
    total = windows.content.sum() + 1
    agrees = windows.agreement > _AGREES
    back = np.asarray(cv2.invertAffineTransform(affine), np.float64)
    return Overlay(
        region=region,
        outline=outline,
        size=_size(generation),
        item_size=_size(item),
        share_of_generation=_area(region) / (generation.shape[0] * generation.shape[1]),
        share_of_item=min(1.0, _area(_map(region, back)) / (item.shape[0] * item.shape[1])),
        agreement=float((windows.agreement * windows.content).sum() / total),
        agreeing=float((agrees * windows.content).sum() / total),
        contradicted=float(((windows.agreement < _CONTRADICTS) * windows.content).sum() / total),
        information=max(0.0, float((windows.information * (agrees & windows.is_inside)).sum())),
        cells=np.where(windows.is_inside, windows.agreement, np.nan).astype(np.float32),
    )


def intersection_over_union(first: Floats, second: Floats) -> float:
    """Return how well two convex regions coincide, 0..1."""
    if len(first) < 3 or len(second) < 3:
        return 0.0
    shared, _ = cv2.intersectConvexConvex(first.astype(np.float32), second.astype(np.float32))
    return shared / (_area(first) + _area(second) - shared)


def measure_overlap(first: Floats, second: Floats) -> float:
    """Return the share of the smaller of two convex regions that lies in the other, 0..1."""
    if len(first) < 3 or len(second) < 3:
        return 0.0
    shared, _ = cv2.intersectConvexConvex(first.astype(np.float32), second.astype(np.float32))
    return shared / max(min(_area(first), _area(second)), 1e-9)


def _size(picture: Picture) -> Floats:
    return np.array([picture.shape[1], picture.shape[0]], np.float64)


def _area(corners: Floats) -> float:
    return float(cv2.contourArea(corners.astype(np.float32))) if len(corners) >= 3 else 0.0


def _corners(picture: Picture) -> Floats:
    height, width = picture.shape[:2]
    return np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64) - 0.5


def _map(points: Floats, affine: Floats) -> Floats:
    return np.asarray(points @ affine[:, :2].T + affine[:, 2])


def _clip(corners: Floats, generation: Picture) -> Floats:
    area, clipped = cv2.intersectConvexConvex(corners.astype(np.float32), _corners(generation).astype(np.float32))
    return np.empty((0, 2)) if area <= 0 or clipped is None else clipped[:, 0].astype(np.float64)


def _warp(picture: Picture, affine: Floats, size: tuple[int, int]) -> Floats:
    """Draw the luma of a picture by a map, smoothed; what is reduced is averaged before."""
    luma = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    zoom = float(np.sqrt(abs(np.linalg.det(affine[:, :2]))))
    if zoom < 0.7:
        luma = cv2.GaussianBlur(luma, (0, 0), 0.4 / zoom)
    drawn = cv2.warpAffine(luma, affine, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return cv2.GaussianBlur(drawn, (0, 0), 1.0).astype(np.float64)


def _means(plane: NDArray[np.floating]) -> Floats:
    """Return the mean of each window, one every `STEP_PX`."""
    corners = cv2.integral(plane.astype(np.float64))
    w, s = WINDOW_PX, STEP_PX
    sums = corners[w:, w:] - corners[:-w, w:] - corners[w:, :-w] + corners[:-w, :-w]
    return sums[::s, ::s] / w**2
