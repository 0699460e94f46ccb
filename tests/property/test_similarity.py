"""Properties of the seven metrics: identity, symmetry, bounds, growing noise, precision."""

import math

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from skimage import data

from shared.matching.ssim_search.best_ssim import best_ssim, pairwise_ssim
from shared.vision.similarity.metrics import METRICS, measure_similarity

SHAPES = st.tuples(st.just(1), st.sampled_from([1, 3]), st.integers(8, 13), st.integers(8, 13))
FINITE = {"ssim": (-1, 1), "rmse": (0, 1), "fsim": (0, 1), "sam": (0, 90), "uiq": (-1, 1)}

Pair = tuple[torch.Tensor, torch.Tensor]


@st.composite
def pairs(draw: st.DrawFn) -> Pair:
    shape = draw(SHAPES)
    pixels = arrays.arrays(np.uint8, shape, elements=st.sampled_from([0, 1, 2, 77, 128, 254, 255]))
    return torch.from_numpy(draw(pixels)).double(), torch.from_numpy(draw(pixels)).double()


@settings(max_examples=25, deadline=None)
@given(pairs())
def test_identity(pair: Pair) -> None:
    x, _ = pair
    row = measure_similarity(x, x).row(0)
    assert row["identical"]
    assert (row["rmse"], row["sam"]) == (0, 0)
    assert row["not_finite"] == {"psnr": "inf", "sre": "inf"}
    assert all(math.isclose(row[name], 1, abs_tol=1e-9) for name in ("ssim", "fsim", "uiq"))


@settings(max_examples=25, deadline=None)
@given(pairs())
def test_symmetry_and_bounds(pair: Pair) -> None:
    there, back = measure_similarity(*pair), measure_similarity(pair[1], pair[0])
    for name in METRICS:
        if name != "sre":
            assert np.allclose(getattr(there, name), getattr(back, name), rtol=0, atol=1e-9), name
    for name, (low, high) in FINITE.items():
        assert low - 1e-9 <= getattr(there, name)[0] <= high + 1e-9, name
    assert there.psnr[0] >= 0


@settings(max_examples=20, deadline=None)
@given(pairs(), st.floats(0, 1))
def test_float32_measures_as_float64(pair: Pair, fraction: float) -> None:
    x, y = (images.float() * (1 - fraction / 2) for images in pair)
    single, double = measure_similarity(x, y), measure_similarity(x.double(), y.double())
    for name in METRICS:
        np.testing.assert_allclose(getattr(single, name), getattr(double, name), rtol=0, atol=1e-9, err_msg=name)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_more_noise_is_less_similar(seed: int) -> None:
    cut = data.astronaut()[100:132, 200:232].transpose(2, 0, 1).astype(np.float64)
    noise = np.random.default_rng(seed).normal(0, 1, cut.shape)
    rows = [np.clip(cut + deviation * noise, 0, 255) for deviation in (2, 8, 25, 70)]
    metrics = measure_similarity(torch.from_numpy(np.stack([cut] * 4)), torch.from_numpy(np.stack(rows)))
    for name in ("ssim", "psnr", "fsim", "sre", "uiq"):
        assert (np.diff(getattr(metrics, name)) < 0).all(), name
    for name in ("rmse", "sam"):
        assert (np.diff(getattr(metrics, name)) > 0).all(), name


@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(1, 6), st.integers(1, 9), st.sampled_from([1, 3]), st.integers(7, 12), st.integers(7, 12))
def test_the_search_finds_the_exhaustive_best(
    choice: st.DataObject, g: int, n: int, channels: int, height: int, width: int
) -> None:
    pixels = st.sampled_from([0, 255, 254, 90])
    images = choice.draw(arrays.arrays(np.uint8, (g + n, channels, height, width), elements=pixels))
    candidates = choice.draw(arrays.arrays(np.int64, (g, 5), elements=st.integers(-1, n - 1)))
    scores = pairwise_ssim(images[:g], images[g:], candidates)
    index, best = best_ssim(images[:g], images[g:], candidates)
    for i in range(g):
        present = candidates[i] >= 0
        if not present.any():
            assert index[i] == -1
            assert math.isnan(best[i])
            continue
        assert best[i] == scores[i][present].max()
        assert index[i] == candidates[i][present][scores[i][present] == best[i]].min()
