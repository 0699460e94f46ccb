"""Batches of 8-bit images: the same with any number of cores, and FSIM's shrunk form where images are large."""

import numpy as np

from shared.compute.threads import limited_cores
from shared.vision.similarity.eight_bit_metrics import measure_eight_bit
from shared.vision.similarity.metrics import METRICS


def test_the_number_of_cores_changes_nothing() -> None:
    x, y = np.random.default_rng(0).integers(0, 256, (2, 9, 3, 16, 20)).astype(np.uint8)
    everywhere = measure_eight_bit(x, y)
    with limited_cores(1):
        alone = measure_eight_bit(x, y)
    assert set(everywhere) == {*METRICS, "identical"}
    for name, values in everywhere.items():
        np.testing.assert_array_equal(values, alone[name], err_msg=name)


def test_identical_pairs_have_no_error_and_black_bands_no_signal() -> None:
    x = np.zeros((2, 3, 8, 8), np.uint8)
    y = x.copy()
    y[1, 0] = 9
    measured = measure_eight_bit(x, y)
    assert measured["identical"].tolist() == [True, False]
    assert measured["psnr"][0] == np.inf
    assert measured["sre"].tolist() == [np.inf, -np.inf]
    assert measured["rmse"].tolist() == [0, 9 / 255 / 3]


def test_no_pairs_give_empty_arrays() -> None:
    empty = np.zeros((0, 1, 8, 8), np.uint8)
    assert all(len(values) == 0 for values in measure_eight_bit(empty, empty).values())
