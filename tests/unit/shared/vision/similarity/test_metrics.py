"""The suite: rows, presets, refusals, and the one-pair form."""

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from shared.errors import InputError
from shared.vision.similarity import fsim, psnr, rmse, sam, sre, ssim, uiq
from shared.vision.similarity.metrics import METRICS, compare_arrays, measure_similarity
from tests.unit.shared.vision.similarity.pictures import batch, noisy, photograph

MEASURES = [ssim.ssim, rmse.rmse, psnr.psnr, fsim.fsim, sre.sre, sam.sam, uiq.uiq]


def values(row: Mapping[str, Any]) -> dict[str, float]:
    """Take the seven numbers of a row."""
    return {name: row[name] for name in METRICS}


def test_a_row_of_equal_images_says_so_and_is_json() -> None:
    picture = batch(photograph("astronaut"))
    row = measure_similarity(picture, picture).row(0)
    assert row["identical"] is True
    assert row["psnr"] is None
    assert row["sre"] is None
    assert row["not_finite"] == {"psnr": "inf", "sre": "inf"}
    assert [row[name] for name in ("ssim", "rmse", "fsim", "sam", "uiq")] == pytest.approx([1, 0, 1, 0, 1])
    assert json.loads(json.dumps(row, allow_nan=False)) == row


def test_one_equal_band_is_not_an_identical_pair() -> None:
    picture = photograph("coffee")
    changed = picture.copy()
    changed[..., 0] = noisy(picture, 9)[..., 0]
    row = measure_similarity(batch(picture), batch(changed)).row(0)
    assert row["identical"] is False
    assert row["not_finite"] == {"sre": "inf"}


def test_bytes_and_floats_measure_alike() -> None:
    a, b = photograph("astronaut"), photograph("coffee")
    x, y = batch(a), batch(b)
    floats = values(measure_similarity(x, y).row(0))
    assert values(measure_similarity(x.float(), y.float()).row(0)) == pytest.approx(floats, abs=1e-12)
    assert values(measure_similarity(x.to(torch.uint8), y.to(torch.uint8)).row(0)) == pytest.approx(floats, abs=1e-12)
    assert values(measure_similarity(x.numpy().astype(np.uint8), y.numpy()).row(0)) == pytest.approx(floats, abs=1e-12)
    assert values(compare_arrays(a, b)) == pytest.approx(floats, abs=1e-12)


def test_grey_pictures_have_every_metric() -> None:
    a, b = photograph("camera"), photograph("moon")
    row = compare_arrays(a, b)
    assert values(row) == pytest.approx(values(compare_arrays(a[..., 0], b[..., 0])), abs=1e-12)
    assert all(math.isfinite(row[name]) for name in METRICS)


def test_presets_differ_where_they_must() -> None:
    x, y = batch(photograph("coffee")), batch(noisy(photograph("coffee"), 20))
    literature, package = measure_similarity(x, y), measure_similarity(x, y, "muller2020")
    assert package.preset == "muller2020"
    assert package.ssim == literature.ssim
    assert package.fsim == literature.fsim
    assert package.sre[0] > literature.sre[0] + 10


def test_a_batch_is_its_pairs_and_may_be_empty() -> None:
    pictures = [photograph("astronaut"), photograph("coffee"), photograph("chelsea")]
    x, y = batch(*pictures), batch(*(noisy(picture, 15) for picture in pictures))
    together = measure_similarity(x, y)
    for i in range(3):
        alone = measure_similarity(x[i : i + 1], y[i : i + 1]).row(0)
        assert values(together.row(i)) == pytest.approx(values(alone), abs=1e-12)
    assert len(measure_similarity(x[:0], y[:0])) == 0
    assert len(measure_similarity(x[:0], y[:0], "muller2020")) == 0


@pytest.mark.parametrize("measure_pair", MEASURES)
def test_every_metric_refuses_unequal_shapes(measure_pair: Callable[..., object]) -> None:
    with pytest.raises(InputError, match=r"expected \(1, 3, 16, 16\).*got \(1, 3, 16, 17\)"):
        measure_pair(torch.zeros(1, 3, 16, 16), torch.zeros(1, 3, 16, 17))


@pytest.mark.parametrize("measure_pair", MEASURES)
@pytest.mark.parametrize(
    "images",
    [
        torch.zeros(1, 3, 16, 16, dtype=torch.uint8),
        torch.zeros(3, 16, 16),
        torch.zeros(1, 2, 16, 16),
        torch.full((1, 3, 16, 16), 256.0),
        torch.full((1, 3, 16, 16), -0.5),
        torch.full((1, 3, 16, 16), math.nan),
    ],
)
def test_every_metric_refuses_what_is_no_float_image(measure_pair: Callable[..., object], images: torch.Tensor) -> None:
    with pytest.raises(InputError, match="expected"):
        measure_pair(images, images)


@pytest.mark.parametrize(
    ("measure_pair", "side_px"),
    [
        (ssim.ssim, 7),
        (lambda x, y: ssim.ssim(x, y, window="gaussian"), 11),
        (uiq.uiq, 8),
        (measure_similarity, 8),
        (fsim.fsim, 2),
    ],
)
def test_images_smaller_than_the_window(measure_pair: Callable[..., object], side_px: int) -> None:
    large = torch.full((1, 1, side_px, side_px), 9.0)
    measure_pair(large, large)
    small = large[..., 1:]
    with pytest.raises(InputError, match=f"at least {side_px} × {side_px} px, got {side_px} × {side_px - 1} px"):
        measure_pair(small, small)


def test_grey_images_have_no_chromatic_form() -> None:
    with pytest.raises(InputError, match="expects 3 channels, got 1"):
        fsim.fsim(torch.zeros(1, 1, 8, 8), torch.zeros(1, 1, 8, 8), chromatic=True)


def test_an_unknown_preset() -> None:
    with pytest.raises(InputError, match="literature"):
        measure_similarity(torch.zeros(1, 1, 8, 8), torch.zeros(1, 1, 8, 8), "mueller")  # type: ignore[arg-type]


@pytest.mark.parametrize("image", [np.zeros((8, 8, 3)), np.zeros((8,), np.uint8)])
def test_arrays_are_bytes(image: NDArray[Any]) -> None:
    with pytest.raises(InputError, match="expected uint8"):
        compare_arrays(image, image)
