"""The evidence for and against a copy, from the window sums of an aligned pair.

Rules, in order:

1. A window of 8 × 8 px agrees as in SSIM's contrast and structure terms: (2·cov + K) / (var + var' + K), -1..1, after the
   global gain. K, thirty squared levels, is the grain of a noisy copy after smoothing: what is fainter is not evidence.
2. A window counts by its content, v / (v + 100). Flat windows, which agree with everything flat, count nothing.
3. The item's agreement is the mean over windows, weighted by the item's content. It is high only if what the item shows is
   there.
4. Informed agreement is the share of content in agreeing windows (> 0.8), times the log of the information that the item gives
   about the generation there. A line on white agrees with any line on white: little information, little weight.
5. Uncovered agreement is the agreement outside one rectangle, the worst of a third of the picture. An overlay covers one
   place; what lies outside it must agree, and must have content (rule 2).
6. Tone is how far the windows' means differ from gain and offset, weighted by the item's content. A recoloured or repainted
   design fails.
7. Unmoved, turned and outside say how far the alignment had to go. Unrelated pairs come to lie at odd angles.

Source: rule 1, Wang et al. 2004, equations 6 and 10 to 13.
"""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Rules 1 and 2, squared levels. Grain of 20 levels keeps a variance of 30 after the binomial; content of 10 levels
# counts half.
_GRAIN, _CONTENT = 30.0, 100.0
# Rule 4: where SSIM's terms say "the same" rather than "alike".
_AGREES = 0.8
# Below it a window shows something else: what is blurred, grained or recompressed stays above (docs/methods/decision.md).
_CONTRADICTS = 0.5
# A window counts if three quarters of its 64 positions lie on the item.
_LEAST_POSITIONS, _ALL_POSITIONS = 48, 64
# Rule 5, in windows, of 15 × 15: a third of the picture, near square or one to two.
_COVERS = ((8, 9), (9, 8), (6, 12), (12, 6))
# Rule 5: what remains counts in full from this much content on, a tenth of a full picture's.
_ENOUGH_CONTENT = 20.0
# A local gain, within exposure, does not count as unexplained: rule 4.
_LOCAL_GAIN = (0.5, 1.6)
# Rule 7: at 1.5 px, 1.5° or 3 % zoom a copy has clearly been moved.
_MOVED_PX, _MOVED_DEGREES, _MOVED_ZOOM = 1.5, 1.5, 0.03
# An agreement of 1 is 3.0 on the scale of -log(1.05 - agreement); 0.8 is 1.4, 0.5 is 0.6.
_OPEN = 1.05


@dataclass(frozen=True)
class CopyEvidence:
    """Evidence for each pair; arrays of one shape (g, k), except `map`.

    Attributes:
        descriptor: -log(1.02 - cosine), -0.7..3.9.
        item_agreement: rule 3, -log(1.05 - agreement).
        informed_agreement: rule 4, 0..15 or so.
        uncovered_agreement: rule 5, 0..3.
        tone: rule 6, log(1 + levels).
        unmoved: rule 7, 0..1.
        turned: rule 7, degrees.
        outside: share of the generation that lies outside the item, 0..1.
        ssim: contrast and structure agreement over all windows after alignment, -1..1; shown, not scored.
        agreement: rule 1's by the content of both, -1..1; shown, and tells the kind of a match (`match_classification`).
        contradicted: share of what is drawn, within the item, in windows that agree by less than a half; likewise.
        map: agreement of each window, (g, k, 15, 15), NaN outside the item; shown.
    """

    descriptor: Floats
    item_agreement: Floats
    informed_agreement: Floats
    uncovered_agreement: Floats
    tone: Floats
    unmoved: Floats
    turned: Floats
    outside: Floats
    ssim: Floats
    agreement: Floats
    contradicted: Floats
    map: NDArray[np.float32]

    def take(self, best: NDArray[np.int64]) -> "CopyEvidence":
        """Take one candidate of each generation; `best` is (g,)."""
        rows = np.arange(len(best))
        return CopyEvidence(*(getattr(self, field.name)[rows, best] for field in fields(self)))


def weigh(cosines: Floats, placements: Floats, blocks: NDArray[np.float32]) -> CopyEvidence:
    """Weigh aligned pairs.

    Args:
        cosines: (g, k), of the descriptors.
        placements: (g, k, 6), where alignment ended.
        blocks: (g, k, 6, 16, 16), the sums of `window_sums`, rule 2.

    Returns:
        The evidence.
    """
    sums = blocks.astype(np.float64)
    sums = sums[..., :-1, :-1] + sums[..., 1:, :-1] + sums[..., :-1, 1:] + sums[..., 1:, 1:]
    is_counted, gain, offset = sums[:, :, 0] >= _LEAST_POSITIONS, *(placements[:, :, at, None, None] for at in (4, 5))
    mean, item_mean, squares, item_squares, products = (sums[:, :, k] / np.maximum(sums[:, :, 0], 1) for k in range(1, 6))
    variance = np.maximum(squares - mean**2, 0)
    item_variance = np.maximum(item_squares - item_mean**2, 0) * gain**2
    covariance = (products - mean * item_mean) * gain
    agreement = (2 * covariance + _GRAIN) / (variance + item_variance + _GRAIN)
    content = _content(np.maximum(variance, item_variance), is_counted)
    item_content = _content(item_variance, is_counted)
    tone = np.minimum(np.abs(mean - (gain * item_mean + offset)), 60)
    agreeing = agreement > _AGREES
    information = np.sum(_information(variance, item_variance, covariance) * (agreeing & is_counted), axis=(2, 3))
    share = _mean(agreeing, content)
    # At the item's border a turned copy shows what it was turned on: only windows that lie within the item contradict it.
    within = content * (sums[:, :, 0] >= _ALL_POSITIONS)
    moved, turned = _movement(placements)
    return CopyEvidence(
        descriptor=-np.log(1.02 - cosines),
        item_agreement=_open_log(_mean(agreement, item_content)),
        informed_agreement=_open_log(share) * np.log1p(np.maximum(information, 0)),
        uncovered_agreement=_uncovered(content, content * (1 - agreement)),
        tone=np.log1p(_mean(tone, item_content)),
        unmoved=np.exp(-moved),
        turned=turned,
        outside=1 - blocks[:, :, 0].sum(axis=(2, 3), dtype=np.float64) / 64**2,
        ssim=np.sum(agreement * is_counted, axis=(2, 3)) / np.maximum(is_counted.sum(axis=(2, 3)), 1),
        agreement=_mean(agreement, content),
        contradicted=_mean(agreement < _CONTRADICTS, within),
        map=np.where(is_counted, agreement, np.nan).astype(np.float32),
    )


def _content(variance: Floats, is_counted: NDArray[np.bool_]) -> Floats:
    return np.asarray(variance / (variance + _CONTENT) * is_counted)


def _mean(values: NDArray[Any], content: Floats) -> Floats:
    """Mean by content; one window's worth of nothing beside it, so that emptiness is no agreement."""
    return np.asarray((values * content).sum(axis=(2, 3)) / (content.sum(axis=(2, 3)) + 1))


def _open_log(agreement: Floats) -> Floats:
    return np.asarray(-np.log(_OPEN - np.minimum(agreement, 1)))


def _information(variance: Floats, item_variance: Floats, covariance: Floats) -> Floats:
    """Return half the log of total over unexplained variance of a window: nats a position, for Gaussians."""
    local = np.clip((covariance + _GRAIN) / (item_variance + _GRAIN), *_LOCAL_GAIN)
    unexplained = np.maximum(variance - 2 * local * covariance + local**2 * item_variance, 0)
    return np.asarray(0.5 * np.log((variance + _GRAIN) / (unexplained + _GRAIN)))


def _uncovered(content: Floats, loss: Floats) -> Floats:
    totals = np.stack([loss, content])
    corners = np.zeros((*totals.shape[:-2], 16, 16))
    corners[..., 1:, 1:] = totals.cumsum(axis=-1).cumsum(axis=-2)
    worst = np.zeros((2, *loss.shape[:2]))
    for height, width in _COVERS:
        covered = corners[..., height:, width:] - corners[..., :-height, width:]
        covered = covered - corners[..., height:, :-width] + corners[..., :-height, :-width]
        flat = covered.reshape(*covered.shape[:3], covered.shape[3] * covered.shape[4])
        at = flat[0].argmax(axis=-1)
        covered_most = np.take_along_axis(flat, np.broadcast_to(at[None, ..., None], (2, *at.shape, 1)), axis=-1)[..., 0]
        worst = np.where(covered_most[0] > worst[0], covered_most, worst)
    uncovered_loss, uncovered_content = corners[..., -1, -1] - worst
    return np.asarray(
        _open_log(1 - uncovered_loss / (uncovered_content + 2)) * np.minimum(uncovered_content / _ENOUGH_CONTENT, 1)
    )


def _movement(placements: Floats) -> tuple[Floats, Floats]:
    degrees = np.abs(np.degrees(np.arctan2(placements[:, :, 1], placements[:, :, 0])))
    shift_px = np.hypot(placements[:, :, 2], placements[:, :, 3])
    zoom = np.log(np.hypot(placements[:, :, 0], placements[:, :, 1]))
    moved = (shift_px / _MOVED_PX) ** 2 + (degrees / _MOVED_DEGREES) ** 2 + (zoom / _MOVED_ZOOM) ** 2
    return np.asarray(moved), np.asarray(degrees)
