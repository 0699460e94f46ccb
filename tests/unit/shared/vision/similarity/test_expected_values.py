"""Both presets against 24 real pairs with expected values made by scikit-image, piq and image-similarity-measures.

The values lie outside the repository, in `oracle/` of the folder that SLEEVE_SHARED names (default: `../shared` from the
repository). Two of its literature columns were themselves taken in float32, which shows in three pairs; those are held to
the exact value instead, and to the expected one within that error.
"""

import json
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from shared.vision.similarity.fsim import fsim
from shared.vision.similarity.metrics import measure_similarity
from tests.support.paths import SHARED
from tests.unit.shared.vision.similarity.pictures import batch

FOLDER = SHARED / "oracle"
VALUES, PIXELS = FOLDER / "similarity_expected.json", FOLDER / "similarity_pairs.npz"
pytestmark = pytest.mark.skipif(
    not (VALUES.is_file() and PIXELS.is_file()), reason=f"no expected similarity values in {FOLDER} (set SLEEVE_SHARED)"
)
PAIRS = [row["pair"] for row in json.loads(VALUES.read_text())["pairs"]] if VALUES.is_file() else []

WITHIN = {"ssim": 1e-4, "rmse": 1e-6, "psnr": 1e-4, "fsim": 1e-3, "sre": 1e-4, "sam": 1e-3, "uiq": 1e-4}
# Sums of a hundred thousand float32 squares: 5e-6 off on the lightest pair. arccos of a float32 cosine: up to 0.02° at 0°.
FLOAT32_PAIRS = {("64_darker", "rmse"): 6e-6, ("72_darker", "rmse"): 6e-6, ("72_identical", "sam"): 0.02}


@cache
def _expected() -> dict[str, dict[str, Any]]:
    return {row["pair"]: row for row in json.loads(VALUES.read_text())["pairs"]}


@cache
def _pixels() -> dict[str, NDArray[np.uint8]]:
    with np.load(PIXELS) as arrays:
        return {name: arrays[name] for name in arrays.files}


def _pair(name: str) -> tuple[torch.Tensor, torch.Tensor]:
    return batch(_pixels()[f"{name}__a"]), batch(_pixels()[f"{name}__b"])


@pytest.mark.parametrize("pair", PAIRS)
def test_literature(pair: str) -> None:
    expected, row = _expected()[pair], measure_similarity(*_pair(pair)).row(0)
    keys = {"fsim": "fsim_luminance", "sam": "sam_degrees"}
    for metric, within in WITHIN.items():
        value = expected[keys.get(metric, metric)]
        if value is None and metric == "sam":  # the package's mean is undefined beside a black pixel
            assert 0 <= row["sam"] <= 90
        elif value is None:
            assert row[metric] is None
            assert row["identical"]
        else:
            assert row[metric] == pytest.approx(value, rel=0, abs=FLOAT32_PAIRS.get((pair, metric), within)), metric
    assert fsim(*_pair(pair), chromatic=True).item() == pytest.approx(expected["fsim_chromatic"], rel=0, abs=1e-3)


@pytest.mark.parametrize("pair", PAIRS)
def test_muller2020(pair: str) -> None:
    expected, row = _expected()[pair]["muller"], measure_similarity(*_pair(pair), preset="muller2020").row(0)
    for metric in ("ssim", "rmse", "psnr", "sre", "sam", "uiq"):
        value = expected["sam_float" if metric == "sam" else metric]
        if value is None:
            assert row[metric] is None
        else:
            assert row[metric] == pytest.approx(value, rel=0, abs=WITHIN[metric]), metric


@pytest.mark.parametrize(("pair", "metric"), FLOAT32_PAIRS)
def test_the_float32_pairs_are_exact(pair: str, metric: str) -> None:
    x, y = (image[0].permute(1, 2, 0).numpy() for image in _pair(pair))
    exact = {"rmse": (np.sqrt(((x - y) ** 2).mean(axis=(0, 1))) / 255).mean(), "sam": 0.0}[metric]
    assert getattr(measure_similarity(*_pair(pair)), metric)[0] == pytest.approx(exact, rel=0, abs=1e-12)


def test_float32_pixels_measure_alike() -> None:
    x, y = _pair("64_noise10") if PAIRS else (torch.zeros(1, 1, 8, 8), torch.zeros(1, 1, 8, 8))
    singles, doubles = measure_similarity(x.float(), y.float()).row(0), measure_similarity(x, y).row(0)
    assert all(singles[metric] == pytest.approx(doubles[metric], abs=1e-12) for metric in WITHIN)


def test_there_are_24_pairs_and_the_form_for_bytes_gives_the_same() -> None:
    assert len(PAIRS) == 24
    for pair in PAIRS:
        x, y = _pair(pair)
        compiled, reference = measure_similarity(x.to(torch.uint8), y.to(torch.uint8)).row(0), measure_similarity(x, y).row(0)
        assert compiled["not_finite"] == reference["not_finite"]
        finite = [metric for metric in WITHIN if reference[metric] is not None]
        assert [compiled[metric] for metric in finite] == pytest.approx(
            [reference[metric] for metric in finite], rel=0, abs=1e-11
        )
