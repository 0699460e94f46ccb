"""Fit the descriptor's map and the fusion's weights, once, for the files in `weights/`. A deployment fits nothing."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.optimize import minimize

from shared.matching.copy_detection.descriptor import Descriptor, measure_views
from shared.matching.copy_detection.fusion import SIGNS, Fusion
from shared.matching.copy_detection.synthetic_copies import build_synthetic_copies

# Copies a picture: with five a class the spread within is estimated from ten thousand pairs; six gave the same recall.
_COPIES = 5
# Share of the mean variance added to every direction within classes (ridge): no direction counts as perfectly steady.
_RIDGE = 0.05
# Length of a descriptor: more than 256 of the 576 directions added no recall.
_DIMENSIONS = 256
# Strength of the penalty on squared weights, of evidence brought to one spread.
_PENALTY = 1e-3
# Rounds in which negatives are represented by their best-scored candidate: weights stop changing after four or five.
_ROUNDS = 6

Floats = NDArray[np.float64]


def fit_descriptor(views: NDArray[np.uint8], rng: np.random.Generator) -> Descriptor:
    """Fit the map by linear discriminant analysis (`descriptor`, rule 2).

    Args:
        views: uint8 (n, 3, 64, 64), one class each.
        rng: draws the synthetic copies.
    """
    members = [measure_views(views), *(measure_views(build_synthetic_copies(views, rng)) for _ in range(_COPIES))]
    rows = np.stack(members).astype(np.float64)
    classes = rows.mean(axis=0)
    inner = (rows - classes).reshape(-1, rows.shape[-1])
    within = inner.T @ inner / len(inner)
    within += _RIDGE * np.trace(within) / len(within) * np.eye(len(within))
    spread = classes - classes.mean(axis=0)
    ratio, directions = eigh(spread.T @ spread / len(spread), within)
    ratio, directions = ratio[::-1][:_DIMENSIONS], directions[:, ::-1][:, :_DIMENSIONS]
    # Whitened by the total spread, then shrunk by how much of a direction is the picture rather than the copying.
    projection = directions * np.sqrt(ratio / (ratio + 1))
    return Descriptor(rows[0].mean(axis=0).astype(np.float16), projection.astype(np.float16))


def fit_fusion(copies: Floats, others: Floats, provenance: dict[str, Any]) -> Fusion:
    """Fit the weights by logistic regression with signs given (`fusion`, rule 2).

    Args:
        copies: (p, e), stacked evidence of copies and the item they are of.
        others: (q, k, e), of q other pictures and their candidates.
        provenance: what to write beside the weights.
    """
    every = np.concatenate([copies, others.reshape(-1, others.shape[-1])])
    mean, spread = every.mean(axis=0), every.std(axis=0)
    signs = np.array(list(SIGNS.values()))
    positive, negative = (copies - mean) / spread, (others - mean) / spread
    weights = np.concatenate([[0.0], signs * 0.1])
    for _ in range(_ROUNDS):
        hardest = (negative @ weights[1:]).argmax(axis=1)
        weights = _regress(positive, negative[np.arange(len(negative)), hardest], signs, weights)
    scaled = weights[1:] / spread
    named = dict(zip(SIGNS, scaled.round(6).tolist(), strict=True))
    return Fusion(round(float(weights[0] - scaled @ mean), 6), named, provenance)


def _regress(positive: Floats, negative: Floats, signs: NDArray[np.int64], start: Floats) -> Floats:
    rows = np.concatenate([positive, negative])
    rows = np.concatenate([np.ones((len(rows), 1)), rows], axis=1)
    labels = np.repeat([1.0, 0.0], [len(positive), len(negative)])
    # Both kinds weigh the same, however many there are of each.
    mass = np.repeat([0.5 / len(positive), 0.5 / len(negative)], [len(positive), len(negative)])

    def loss(weights: Floats) -> tuple[float, Floats]:
        odds = rows @ weights
        penalised = np.concatenate([[0.0], weights[1:]])
        value = mass @ (np.logaddexp(0, odds) - labels * odds) + _PENALTY * penalised @ penalised
        return float(value), rows.T @ (mass * (1 / (1 + np.exp(-odds)) - labels)) + 2 * _PENALTY * penalised

    bounds = [(None, None), *((0, None) if sign > 0 else (None, 0) for sign in signs)]
    return np.asarray(minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x)
