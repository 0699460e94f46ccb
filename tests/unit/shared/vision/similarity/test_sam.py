"""Spectral angles that are known, and against naive NumPy."""

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.vision.similarity.sam import sam
from tests.unit.shared.vision.similarity.pictures import bands, batch, varied_pairs

PAIRS = varied_pairs()


@pytest.mark.parametrize(
    ("x", "y", "degrees"),
    [
        ((1, 0, 0), (0, 1, 0), 90.0),
        ((1, 1, 0), (1, 0, 0), 45.0),
        ((3, 6, 9), (1, 2, 3), 0.0),
        ((255, 254, 253), (255, 254, 253), 0.0),
        ((0, 0, 0), (0, 0, 0), 0.0),
        ((0, 0, 0), (0, 0, 1), 90.0),
        ((4,), (9,), 0.0),
        ((0,), (9,), 90.0),
    ],
)
def test_sam_angles(x: tuple[float, ...], y: tuple[float, ...], degrees: float) -> None:
    assert sam(bands(*x), bands(*y)).item() == pytest.approx(degrees, abs=1e-12)


@pytest.mark.parametrize("pair", [pair for pair in PAIRS if all(picture.any(axis=2).all() for picture in pair)])
def test_sam_against_naive_sums(pair: tuple[NDArray[np.uint8], NDArray[np.uint8]]) -> None:
    a, b = (picture.astype(np.float64) for picture in pair)
    cosine = (a * b).sum(axis=2) / (np.linalg.norm(a, axis=2) * np.linalg.norm(b, axis=2))
    expected = np.degrees(np.arccos(np.clip(cosine, -1, 1))).mean()
    assert sam(*map(batch, pair)).item() == pytest.approx(expected, abs=1e-5)
