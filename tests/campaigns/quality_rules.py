"""The rules that the quality benchmark compares: each gives a score and an item for every picture.

Rules, in order:

1. `ssim`: best SSIM of all registered views, raw (the paper's score). `l2`: least root mean square difference, raw.
2. `pdq`: least Hamming distance of PDQ hashes (`pdqhash`).
3. `descriptor_single`: cosine to the items' plain descriptors. `descriptor`: to all indexed views, also mirrored.
   `descriptor_standardised`: the same less each item's mean cosine to the control, over its spread.
4. `fused`: `CopyDetector`. `fused_5` and `fused_1` look at fewer candidates; `fused_without_*` leaves one piece of evidence
   out, `only_*` is one piece alone.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import pdqhash
from numpy.typing import NDArray

from shared.matching.copy_detection.detector import CopyDetector
from shared.matching.copy_detection.fusion import SIGNS, stack_evidence
from shared.matching.copy_detection.indexed_views import INDEXED_VIEWS
from shared.matching.ssim_search.best_ssim import best_ssim
from shared.matching.ssim_search.ssim_terms import SsimTerms, build_terms

Pixels = NDArray[np.uint8]
Answer = tuple[NDArray[np.float64], NDArray[np.int64]]
BATCH = 64


@dataclass
class Panel:
    """All rules over one corpus."""

    registered: Pixels
    detector: CopyDetector
    terms: SsimTerms
    hashes: NDArray[np.float32]
    null_mean: NDArray[np.float32]
    null_spread: NDArray[np.float32]

    @classmethod
    def build(cls, registered: Pixels, control: Pixels) -> "Panel":
        """Prepare every rule; the control serves the standardised descriptor alone."""
        detector = CopyDetector.build(registered)
        panel = cls(
            registered, detector, build_terms(registered), _hash(registered), np.zeros(1, np.float32), np.ones(1, np.float32)
        )
        cosines = np.concatenate([panel.cosines(control[rows]).max(axis=1) for rows in _batches(len(control))])
        return replace(panel, null_mean=cosines.mean(axis=0), null_spread=cosines.std(axis=0))

    def cosines(self, views: Pixels) -> NDArray[np.float32]:
        """Cosine to each item as it is and mirrored: (g, 2, n)."""
        both = [views, np.ascontiguousarray(views[..., ::-1])]
        cosines = [self.detector.descriptor.describe(views_of_side) @ self.detector.points.rows.T for views_of_side in both]
        return np.stack([side.reshape(len(views), len(INDEXED_VIEWS), -1).max(axis=1) for side in cosines], axis=1)

    def answer(self, views: Pixels, *, slow: bool = True) -> dict[str, Answer]:
        """Ask every rule about some pictures; `slow` includes SSIM and l2."""
        # Batches side by side: what is compiled or a matrix product leaves the interpreter lock to the others.
        with ThreadPoolExecutor(4) as pool:
            parts = list(pool.map(lambda rows: dict(self._answer(views[rows], slow)), _batches(len(views))))
        return {
            name: (np.concatenate([part[name][0] for part in parts]), np.concatenate([part[name][1] for part in parts]))
            for name in parts[0]
        }

    def _answer(self, views: Pixels, slow: bool) -> Iterator[tuple[str, Answer]]:
        if slow:
            item, score = best_ssim(views, self.terms)
            yield "ssim", (score, item)
            yield "l2", _best(-self._distances(views))
        yield "pdq", _best(-_hamming(_hash(views), self.hashes))
        plain = self.detector.points.rows[: len(self.registered)]
        yield "descriptor_single", _best(self.detector.descriptor.describe(views) @ plain.T)
        cosines = self.cosines(views).max(axis=1)
        yield "descriptor", _best(cosines)
        yield "descriptor_standardised", _best((cosines - self.null_mean) / self.null_spread)
        yield from self._fused(views)

    def _distances(self, views: Pixels) -> NDArray[np.float32]:
        ours = views.reshape(len(views), -1).astype(np.float32) / 255
        theirs = self.registered.reshape(len(self.registered), -1).astype(np.float32) / 255
        return (ours**2).sum(axis=1)[:, None] - 2 * ours @ theirs.T + (theirs**2).sum(axis=1)

    def _fused(self, views: Pixels) -> Iterator[tuple[str, Answer]]:
        shortlist = self.detector.find_candidates(views)
        stacked = stack_evidence(self.detector.weigh(views, shortlist)[0])
        weights = np.array([self.detector.fusion.weights[name] for name in SIGNS])
        missing = shortlist.items < 0

        def scored(used: NDArray[np.float64], candidates: int) -> Answer:
            scores = np.where(missing, -np.inf, stacked @ used)[:, :candidates]
            best = scores.argmax(axis=1)
            rows = np.arange(len(scores))
            return scores[rows, best], shortlist.items[rows, best]

        every = shortlist.items.shape[1]
        yield "fused", scored(weights, every)
        yield "fused_5", scored(weights, 5)
        yield "fused_1", scored(weights, 1)
        for at, name in enumerate(SIGNS):
            yield f"fused_without_{name}", scored(np.where(np.arange(len(SIGNS)) == at, 0, weights), every)
        for name in ("item_agreement", "informed_agreement", "uncovered_agreement"):
            yield f"only_{name}", scored(np.array([float(sign == name) for sign in SIGNS]), every)


def _best(scores: NDArray[np.floating]) -> Answer:
    best = scores.argmax(axis=1)
    return scores[np.arange(len(scores)), best].astype(np.float64), best.astype(np.int64)


def _hash(views: Pixels) -> NDArray[np.float32]:
    return np.stack([pdqhash.compute(np.ascontiguousarray(view.transpose(1, 2, 0)))[0] for view in views]).astype(np.float32)


def _hamming(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> NDArray[np.float32]:
    return ours @ (1 - theirs).T + (1 - ours) @ theirs.T


def _batches(count: int) -> list[slice]:
    return [slice(start, start + BATCH) for start in range(0, count, BATCH)]
