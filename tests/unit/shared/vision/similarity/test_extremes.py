"""The edges of what is compared: each a defined result or a refusal (the table in docs/methods/similarity.md)."""

import numpy as np
import pytest
import torch
from skimage import data

from shared.errors import InputError
from shared.matching.ssim_search.best_match import find_best_matches
from shared.matching.ssim_search.best_ssim import best_ssim
from shared.vision.similarity import fsim, psnr, rmse, sam, sre, ssim, uiq
from shared.vision.similarity.metrics import METRICS, compare_arrays, measure_similarity
from tests.unit.shared.vision.similarity.pictures import noisy, photograph


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


@pytest.mark.parametrize(("side_px", "refused"), [(6, True), (7, False), (512, False), (513, True)])
def test_the_smallest_and_the_largest_view_of_the_search(side_px: int, refused: bool) -> None:
    views = np.zeros((1, 1, side_px, side_px), np.uint8)
    if refused:
        with pytest.raises(InputError, match=r"sides of 7\.\.512 px"):
            best_ssim(views, views)
    else:
        assert best_ssim(views, views)[0].tolist() == [0]


def test_4096_px() -> None:
    picture = np.tile(data.camera()[:256, :256], (16, 1))
    row = compare_arrays(picture, picture[::-1].copy())
    assert picture.shape == (4096, 256)
    assert all(np.isfinite(row[name]) for name in METRICS)


def test_flat_pictures() -> None:
    suite = measure_similarity(grey(0, 0, 255, 7), grey(0, 255, 255, 7))
    assert suite.uiq.tolist() == [1, 0, 1, 1]
    assert suite.identical.tolist() == [True, False, True, True]
    assert suite.sam.tolist() == [0, 90, 0, 0]
    assert suite.sre.tolist() == [np.inf, -np.inf, np.inf, np.inf]
    # Outside an image there is 0, so a white one has a gradient at its border and a black one none.
    assert suite.fsim.tolist() == pytest.approx([1, suite.fsim[1], 1, 1])
    assert suite.fsim[1] < 1
    as_bytes = measure_similarity(grey(0, 0, 255, 7).to(torch.uint8), grey(0, 255, 255, 7).to(torch.uint8))
    for name in METRICS:
        np.testing.assert_allclose(getattr(as_bytes, name), getattr(suite, name), rtol=0, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("shape", [(8, 8, 1), (8, 13, 3), (33, 20, 3), (390, 400, 1)])
def test_the_compiled_suite_is_that_of_the_metrics(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(1)
    x = rng.integers(0, 256, shape).astype(np.uint8)
    x[: shape[0] // 2, :3] = 0
    y = noisy(x, 30)
    y[:2] = x[:2]
    x_batch, y_batch = (torch.from_numpy(image.transpose(2, 0, 1)[None].copy()) for image in (x, y))
    compiled, reference = measure_similarity(x_batch, y_batch), measure_similarity(x_batch.double(), y_batch.double())
    for name in METRICS:
        np.testing.assert_allclose(getattr(compiled, name), getattr(reference, name), rtol=0, atol=1e-11, err_msg=name)


def test_a_shortlist_longer_than_a_manifest_of_one_image() -> None:
    view = photograph("coffee")[:16, :16].transpose(2, 0, 1)[None].copy()
    matches = find_best_matches(np.repeat(view, 2, axis=0), view, np.zeros((2, 50), np.int64))
    assert matches.index.tolist() == [0, 0]
    np.testing.assert_allclose(matches.ssim, 1, atol=1e-6)
    assert matches.metrics.identical.all()
