"""The search on a device: bit for bit the compiled one, on the processor always and on an accelerator where there is one."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from skimage import data

from shared.errors import InputError, UnavailableError
from shared.matching.ssim_search.best_ssim import best_ssim
from shared.matching.ssim_search.device_ssim import best_ssim_on_device, open_device


@pytest.fixture(params=["cpu", "cuda"])
def device(request: pytest.FixtureRequest) -> str:
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device on this machine")
    return request.param


def pictures(count: int, seed: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    photograph = data.astronaut()
    corners = rng.integers(0, 480, (count, 2))
    images = np.stack([photograph[top : top + 24, left : left + 20].transpose(2, 0, 1) for top, left in corners])
    images[0], images[1] = 255, 254
    return images


def test_index_and_score_are_those_of_the_compiled_search(device: str) -> None:
    views, generations = pictures(40, 1), pictures(9, 2)
    views[30] = views[7]
    generations[8] = views[7]
    candidates = np.random.default_rng(3).integers(-1, 40, (9, 15))
    candidates[4] = -1
    for subset in (None, candidates):
        expected, got = best_ssim(generations, views, subset), best_ssim_on_device(generations, views, subset, device=device)
        np.testing.assert_array_equal(got[0], expected[0])
        np.testing.assert_array_equal(got[1], expected[1])


def test_ties_go_to_the_lowest_view(device: str) -> None:
    views = np.repeat(pictures(3, 1)[2:], 5, axis=0)
    assert best_ssim_on_device(views[:1], views, np.array([[4, 2, 3]]), device=device)[0].tolist() == [2]


def test_nothing_to_compare(device: str) -> None:
    views = pictures(4, 1)
    assert best_ssim_on_device(views, views[:0], device=device)[0].tolist() == [-1] * 4
    assert best_ssim_on_device(views[:0], views, device=device)[0].shape == (0,)


@pytest.mark.parametrize("name", ["tpu", "cuda:x", "cpu:1", ""])
def test_an_unknown_device_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="expected cpu, cuda or cuda:<n>"):
        open_device(name)


def test_a_missing_device_is_named_and_not_replaced() -> None:
    with pytest.raises(UnavailableError, match="cuda:99"):
        open_device("cuda:99")
