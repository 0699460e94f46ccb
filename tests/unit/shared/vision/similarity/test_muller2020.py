"""The package's departures from the definitions."""

import math

import pytest

from shared.vision.similarity.muller2020 import package_psnr, package_rmse, package_sam, package_sre
from shared.vision.similarity.psnr import psnr
from shared.vision.similarity.rmse import rmse
from shared.vision.similarity.sam import sam
from tests.unit.shared.vision.similarity.pictures import bands


def test_the_package_s_departures() -> None:
    assert package_sre(bands(100.0), bands(90.0)).item() == pytest.approx(10 * math.log10(100**2 / (80 / 64)))
    assert math.isnan(package_sre(bands(0, 9, 9), bands(0, 8, 8)).item())
    black_pixel = bands(200, 100, 50)
    black_pixel[..., 0, 0] = 0
    assert package_sam(black_pixel, bands(50, 100, 200)).item() == 0.0
    assert sam(black_pixel, bands(50, 100, 200)).item() > 40
    assert package_sam(bands(1, 0, 0), bands(0, 1, 0)).item() == pytest.approx(90, abs=1e-4)
    x, y = bands(255, 255, 255), bands(200, 200, 200)
    assert package_rmse(x, y).item() == pytest.approx(rmse(x, y).item(), abs=1e-5)
    assert package_psnr(x, y).item() == pytest.approx(psnr(x, y).item(), abs=1e-3)
