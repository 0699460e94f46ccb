"""FSIM against piq, at odd and large sizes, and its chromatic form."""

import numpy as np
import piq
import pytest
import torch
from numpy.typing import NDArray

from shared.errors import InputError
from shared.vision.similarity.fsim import fsim
from tests.unit.shared.vision.similarity.pictures import batch, photograph, varied_pairs

PAIRS = varied_pairs()


@pytest.mark.parametrize("pair", PAIRS)
def test_fsim_is_piq_s(pair: tuple[NDArray[np.uint8], NDArray[np.uint8]]) -> None:
    x, y = (batch(picture) for picture in pair)
    expected = piq.fsim(x, y, data_range=255, chromatic=False, reduction="none").item()
    assert fsim(x, y).item() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("pair", [pair for pair in PAIRS if pair[0].shape[2] == 3])
def test_chromatic_fsim_is_piq_s(pair: tuple[NDArray[np.uint8], NDArray[np.uint8]]) -> None:
    x, y = (batch(picture) for picture in pair)
    expected = piq.fsim(x, y, data_range=255, chromatic=True, reduction="none").item()
    assert fsim(x, y, chromatic=True).item() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("height_px", "width_px"), [(33, 48), (47, 31), (389, 384)])
def test_fsim_is_piq_s_at_odd_and_large_sizes(height_px: int, width_px: int) -> None:
    a = photograph("astronaut", 405, 60, 60)[:height_px, :width_px]
    x, y = batch(a), batch(np.ascontiguousarray(a[::-1]))
    expected = piq.fsim(x, y, data_range=255, chromatic=False, reduction="none").item()
    assert fsim(x, y).item() == pytest.approx(expected, abs=1e-9)


def test_fsim_of_a_batch_is_that_of_its_pairs() -> None:
    colour = [pair for pair in PAIRS if pair[0].shape[2] == 3]
    x, y = batch(*(a for a, _ in colour)), batch(*(b for _, b in colour))
    singly = torch.cat([fsim(x[i : i + 1], y[i : i + 1]) for i in range(len(x))])
    torch.testing.assert_close(fsim(x, y), singly, rtol=0, atol=1e-12)


def test_grey_images_have_no_chromatic_form() -> None:
    with pytest.raises(InputError, match="expects 3 channels, got 1"):
        fsim(torch.zeros(1, 1, 8, 8), torch.zeros(1, 1, 8, 8), chromatic=True)
