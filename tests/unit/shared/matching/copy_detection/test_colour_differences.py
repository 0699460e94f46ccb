"""Colours: the same ones differ nowhere, brightness is none, and lettering keeps its colours to itself."""

import numpy as np

from shared.matching.copy_detection.colour_differences import measure_colours
from tests.unit.shared.matching.copy_detection.drawings import draw

ITEM = draw(1)[0]
WHOLE = np.array([1.0, 0, 0, 0, 1, 0])
AGREES = np.ones((15, 15), np.float32)


def measure(generation: np.ndarray, placement: np.ndarray = WHOLE, agreement: np.ndarray = AGREES) -> float:
    return measure_colours(np.ascontiguousarray(generation), ITEM, 0, placement, agreement)


def tinted(level: int) -> np.ndarray:
    generation = ITEM.astype(np.int64)
    generation[2] -= level
    return np.clip(generation, 0, 255).astype(np.uint8)


def test_the_same_colours_differ_nowhere_and_others_everywhere() -> None:
    assert measure(ITEM) == 0
    assert measure(ITEM[::-1]) > 0.05
    grey = np.full_like(ITEM, 128)
    grey_in_blue = grey.copy()
    grey_in_blue[2] = 255
    assert measure_colours(grey_in_blue, grey, 0, WHOLE, AGREES) == 1


def test_the_gain_of_the_alignment_is_no_other_colour() -> None:
    darker = (ITEM * 0.5).astype(np.uint8)
    gain = WHOLE.copy()
    gain[4] = 0.5
    assert measure(darker, gain) == 0
    assert measure(darker) > 0


def test_a_mirrored_generation_is_read_from_right_to_left() -> None:
    mirror_image = np.ascontiguousarray(ITEM[..., ::-1])
    assert measure_colours(mirror_image, ITEM, 1, WHOLE, AGREES) == 0
    assert measure(mirror_image) > 0


def test_windows_beside_a_contradiction_do_not_count() -> None:
    contradicted = AGREES.copy()
    contradicted[7, 7] = 0
    generation = tinted(200)
    everywhere = measure(generation)
    assert measure(generation, agreement=contradicted) <= everywhere
    assert measure(generation, agreement=np.zeros_like(AGREES)) == 0
    assert measure(generation, agreement=np.full_like(AGREES, np.nan)) == 0
