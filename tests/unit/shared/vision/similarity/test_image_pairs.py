"""What every metric accepts: two equal batches of float images, as large as its window."""

import math
from collections.abc import Callable

import pytest
import torch

from shared.errors import InputError
from shared.vision.similarity import fsim, psnr, rmse, sam, sre, ssim, uiq
from shared.vision.similarity.metrics import measure_similarity

MEASURES = [ssim.ssim, rmse.rmse, psnr.psnr, fsim.fsim, sre.sre, sam.sam, uiq.uiq]


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
