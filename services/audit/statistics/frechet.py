"""Fréchet distance of two samples of features: the quality gate of a study.

A model that was trained too little makes no copies and no pictures either; the distance of its generations to held-out
pictures, beside the distance that as many held-out pictures have to the same others, tells it from one that generalises.

The distance of two samples of one population is not 0: it grows as samples shrink, the more the more dimensions there are. So
both distances are of equally many pictures, to the same ones; otherwise a floor of many would be out of reach for few.

Source: Dowson and Landau 1982 for the distance of two normal distributions; Heusel et al. 2017 for its use on features.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.errors import InputError

Features = NDArray[np.floating]


@dataclass(frozen=True)
class Quality:
    """How far generations are from held-out pictures, and how far held-out pictures are from each other.

    Attributes:
        distance: Fréchet distance of generations and one half of the held-out pictures.
        floor: Fréchet distance of as many pictures of the other half and that half: what sampling alone gives.
        pictures: how many generations, and how many held-out pictures, these are of: the first of each.
        reference: how many held-out pictures both were compared with.
        features: dimensions of the features, on which the scale depends.
    """

    distance: float
    floor: float
    pictures: int
    reference: int
    features: int


def measure_quality(generations: Features, held_out: Features) -> Quality:
    """Measure generations against held-out pictures.

    Args:
        generations: shape (G, D), at least two.
        held_out: shape (H, D), at least four.

    Raises:
        InputError: too few, or widths that differ.
    """
    if len(held_out) < 4:
        raise InputError(f"expected at least four held-out pictures, got {len(held_out)}")
    fresh, reference = held_out[::2], held_out[1::2]
    count = min(len(generations), len(fresh))
    return Quality(
        distance=frechet_distance(generations[:count], reference),
        floor=frechet_distance(fresh[:count], reference),
        pictures=count,
        reference=len(reference),
        features=held_out.shape[1],
    )


def frechet_distance(first: Features, second: Features) -> float:
    """Compute the squared Fréchet distance of normal distributions fitted to two samples.

    Args:
        first: shape (N, D), N at least 2.
        second: shape (M, D), M at least 2.

    Returns:
        |m1 − m2|² + tr(C1 + C2 − 2 (C1 C2)^½), at least 0; 0 for equal samples.

    Raises:
        InputError: fewer than two of either, or widths that differ.

    >>> round(frechet_distance(np.array([[0.0], [2.0]]), np.array([[3.0], [5.0]])), 9)
    9.0
    """
    if min(len(first), len(second)) < 2 or first.shape[1] != second.shape[1]:
        raise InputError(f"expected two or more of each and one width, got {first.shape} and {second.shape}")
    first, second = (np.asarray(sample, dtype=np.float64) for sample in (first, second))
    gap = first.mean(axis=0) - second.mean(axis=0)
    return float(
        max(gap @ gap + first.var(axis=0, ddof=1).sum() + second.var(axis=0, ddof=1).sum() - 2 * _root_trace(first, second), 0)
    )


def _root_trace(first: Features, second: Features) -> float:
    """Trace of (C1 C2)^½: with C = AᵀA it is the sum of the singular values of A1 A2ᵀ, which needs no matrix root.

    With A = QR, R does for A: at most as many rows as dimensions, however many pictures there are.
    """
    centred = [(sample - sample.mean(axis=0)) / np.sqrt(len(sample) - 1) for sample in (first, second)]
    factors = [np.asarray(np.linalg.qr(sample, mode="r")) for sample in centred]
    return float(np.linalg.norm(factors[0] @ factors[1].T, ord="nuc"))
