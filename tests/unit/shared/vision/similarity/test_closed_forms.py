"""RMSE, SRE, SAM and UIQ on images small enough to work out by hand, and against naive NumPy."""

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from shared.vision.similarity.muller2020 import package_psnr, package_rmse, package_sam, package_sre, package_uiq
from shared.vision.similarity.psnr import psnr
from shared.vision.similarity.rmse import rmse
from shared.vision.similarity.sam import sam
from shared.vision.similarity.sre import sre
from shared.vision.similarity.uiq import uiq
from tests.unit.shared.vision.similarity.pictures import batch, varied_pairs

PAIRS = varied_pairs()


def bands(*values: float) -> torch.Tensor:
    """Make one image of flat bands, 8 × 8 px."""
    return torch.tensor(values, dtype=torch.float64).view(1, -1, 1, 1).expand(1, -1, 8, 8).contiguous()


def test_rmse_averages_the_roots_of_the_bands() -> None:
    assert rmse(bands(0, 0, 0), bands(51, 0, 255)).item() == pytest.approx((0.2 + 0 + 1) / 3)


def test_psnr_of_one_level_everywhere() -> None:
    assert psnr(bands(7, 7, 7), bands(8, 8, 8)).item() == pytest.approx(20 * math.log10(255))


def test_sre_averages_ratios_before_decibels() -> None:
    # Ratios 100²/10² and 50²/5², and a band without signal: (100 + 100 + 0) / 3.
    assert sre(bands(100, 50, 0), bands(90, 45, 9)).item() == pytest.approx(10 * math.log10(200 / 3))


def test_sre_takes_x_as_the_signal() -> None:
    assert sre(bands(100.0), bands(50.0)).item() == pytest.approx(10 * math.log10(4))
    assert sre(bands(50.0), bands(100.0)).item() == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [((9, 9, 9), (9, 9, 9), math.inf), ((0, 0, 0), (0, 0, 0), math.inf), ((0, 0, 0), (1, 0, 0), -math.inf)],
)
def test_sre_at_its_ends(x: tuple[float, ...], y: tuple[float, ...], expected: float) -> None:
    assert sre(bands(*x), bands(*y)).item() == expected


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


@pytest.mark.parametrize(
    ("x", "y", "quality"),
    [((255,), (255,), 1.0), ((0,), (0,), 1.0), ((0,), (9,), 0.0), ((200,), (100,), 0.8), ((0.1,), (0.1,), 1.0)],
)
def test_uiq_of_flat_windows(x: tuple[float, ...], y: tuple[float, ...], quality: float) -> None:
    assert uiq(bands(*x), bands(*y)).item() == pytest.approx(quality, abs=1e-12)


def test_uiq_of_a_negative() -> None:
    ramp = torch.arange(64, dtype=torch.float64).view(1, 1, 8, 8)
    # Equal variances and means, opposite correlation.
    assert uiq(ramp, 63 - ramp).item() == pytest.approx(-1.0)


def naive_uiq(a: NDArray[np.uint8], b: NDArray[np.uint8], flat_counts: bool) -> float:
    qualities: list[float] = []
    for band in range(a.shape[2]):
        for top in range(a.shape[0] - 7):
            for left in range(a.shape[1] - 7):
                x, y = (image[top : top + 8, left : left + 8, band].astype(np.float64) for image in (a, b))
                spread, level = x.var() + y.var(), x.mean() ** 2 + y.mean() ** 2
                if spread > 0:
                    qualities.append(4 * np.mean((x - x.mean()) * (y - y.mean())) * x.mean() * y.mean() / spread / level)
                elif flat_counts:
                    qualities.append(2 * x.mean() * y.mean() / level if level else 1.0)
                else:
                    qualities.append(0.0)
    return float(np.mean(qualities))


@pytest.mark.parametrize("pair", PAIRS[:4])
def test_uiq_against_naive_windows(pair: tuple[NDArray[np.uint8], NDArray[np.uint8]]) -> None:
    a, b = (picture[:20, :18].copy() for picture in pair)
    a[:10, :10] = b[:10, :10] = 255
    assert uiq(batch(a), batch(b)).item() == pytest.approx(naive_uiq(a, b, True), abs=1e-10)
    assert package_uiq(batch(a), batch(b)).item() == pytest.approx(naive_uiq(a, b, False), abs=1e-10)


@pytest.mark.parametrize("pair", PAIRS)
def test_rmse_sre_and_sam_against_naive_sums(pair: tuple[NDArray[np.uint8], NDArray[np.uint8]]) -> None:
    a, b = (picture.astype(np.float64) for picture in pair)
    x, y = (batch(picture) for picture in pair)
    errors = ((a - b) ** 2).mean(axis=(0, 1))
    assert rmse(x, y).item() == pytest.approx((np.sqrt(errors) / 255).mean(), abs=1e-12)
    assert sre(x, y).item() == pytest.approx(10 * np.log10((a.mean(axis=(0, 1)) ** 2 / errors).mean()), abs=1e-9)
    lengths = np.linalg.norm(a, axis=2) * np.linalg.norm(b, axis=2)
    if lengths.all():
        cosine = (a * b).sum(axis=2) / lengths
        assert sam(x, y).item() == pytest.approx(np.degrees(np.arccos(np.clip(cosine, -1, 1))).mean(), abs=1e-5)


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
