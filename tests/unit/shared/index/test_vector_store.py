"""Stored vectors: their codes are made again where a file is damaged."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared.array_store import ArrayPlan
from shared.index.vector_store import load_vectors

Rows = NDArray[np.float32]


def unit(rows: NDArray[np.float64]) -> Rows:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_codes_that_are_damaged_are_made_again(tmp_path: Path) -> None:
    rows = unit(np.random.default_rng(3).normal(size=(50, 32)))
    plan = ArrayPlan(rows.shape, "float32", lambda start, stop: rows[start:stop])
    first = load_vectors(tmp_path, "vectors", plan).scanned.nearest(rows[:4], 3)
    for path in sorted(tmp_path.glob("*.npy")):
        content = bytearray(path.read_bytes())
        content[-1] ^= 0x40
        path.write_bytes(bytes(content))
        again = load_vectors(tmp_path, "vectors", plan).scanned.nearest(rows[:4], 3)
        assert np.array_equal(again[0], first[0]), path.name
        assert np.array_equal(again[1], first[1]), path.name
