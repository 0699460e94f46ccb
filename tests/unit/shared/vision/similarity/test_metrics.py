"""The similarity metrics of a batch: rows, presets, refusals, and the one-pair form."""

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from skimage import data

from shared.errors import InputError
from shared.vision.similarity import fsim, psnr, rmse, sam, sre, ssim, uiq
from shared.vision.similarity.metrics import METRICS, compare_arrays, measure_similarity
from tests.unit.shared.vision.similarity.pictures import batch, noisy, photograph


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


def test_an_unknown_preset() -> None:
    with pytest.raises(InputError, match="literature"):
        measure_similarity(torch.zeros(1, 1, 8, 8), torch.zeros(1, 1, 8, 8), "mueller")  # type: ignore[arg-type]


@pytest.mark.parametrize("image", [np.zeros((8, 8, 3)), np.zeros((8,), np.uint8)])
def test_arrays_are_bytes(image: NDArray[Any]) -> None:
    with pytest.raises(InputError, match="expected uint8"):
        compare_arrays(image, image)


def grey(*values: float) -> torch.Tensor:
    """Make one grey picture of 8 × 8 px a value, float64 (N, 1, 8, 8)."""
    return torch.stack([torch.full((1, 8, 8), float(value), dtype=torch.float64) for value in values])


@pytest.mark.parametrize("shape", [(16, 16, 4), (16, 16, 2), (2, 16, 16, 3), (16,)])
def test_rgba_and_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    picture = np.zeros(shape, np.uint8)
    with pytest.raises(InputError, match="expected"):
        compare_arrays(picture, picture)


def test_grey_against_colour_is_refused() -> None:
    with pytest.raises(InputError, match="equal shapes"):
        compare_arrays(np.zeros((16, 16), np.uint8), np.zeros((16, 16, 3), np.uint8))


def test_one_pixel_is_measured_where_no_window_is_needed_and_refused_elsewhere() -> None:
    x, y = (torch.tensor(value, dtype=torch.float64).view(1, 3, 1, 1) for value in ([10, 20, 30], [20, 20, 30]))
    assert rmse.rmse(x, y).item() == pytest.approx(10 / 255 / 3)
    assert psnr.psnr(x, y).item() == pytest.approx(10 * np.log10(255**2 * 3 / 100))
    assert sre.sre(x, y).item() == np.inf
    assert 0 < sam.sam(x, y).item() < 90
    for metric in (ssim.ssim, uiq.uiq, fsim.fsim, measure_similarity):
        with pytest.raises(InputError, match="at least"):
            metric(x, y)


@pytest.mark.parametrize(("side_px", "refused"), [(6, True), (7, True), (8, False)])
def test_the_smallest_pair(side_px: int, refused: bool) -> None:
    picture = photograph("astronaut")[:side_px, :side_px]
    if refused:
        with pytest.raises(InputError, match=f"at least 8 × 8 px, got {side_px} × {side_px} px"):
            compare_arrays(picture, picture)
    else:
        assert compare_arrays(picture, picture)["ssim"] == 1


def test_4096_px() -> None:
    picture = np.tile(data.camera()[:256, :256], (16, 1))
    row = compare_arrays(picture, picture[::-1].copy())
    assert picture.shape == (4096, 256)
    assert all(np.isfinite(row[name]) for name in METRICS)


def test_flat_pictures() -> None:
    metrics = measure_similarity(grey(0, 0, 255, 7), grey(0, 255, 255, 7))
    assert metrics.uiq.tolist() == [1, 0, 1, 1]
    assert metrics.identical.tolist() == [True, False, True, True]
    assert metrics.sam.tolist() == [0, 90, 0, 0]
    assert metrics.sre.tolist() == [np.inf, -np.inf, np.inf, np.inf]
    # Outside an image there is 0, so a white one has a gradient at its border and a black one none.
    assert metrics.fsim.tolist() == pytest.approx([1, metrics.fsim[1], 1, 1])
    assert metrics.fsim[1] < 1
    as_bytes = measure_similarity(grey(0, 0, 255, 7).to(torch.uint8), grey(0, 255, 255, 7).to(torch.uint8))
    for name in METRICS:
        np.testing.assert_allclose(getattr(as_bytes, name), getattr(metrics, name), rtol=0, atol=1e-12, err_msg=name)
