"""Overlays: the region that shows an item, and what speaks for and against it."""

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from shared.matching.whole_picture.overlay import Overlay, intersection_over_union, lay_over
from tests.unit.shared.matching.whole_picture.pictures import load_photograph

STILL = np.array([[1.0, 0, 0], [0, 1, 0]])


def overlay(generation: Image.Image, item: Image.Image, affine: np.ndarray = STILL) -> Overlay:
    laid = lay_over(np.asarray(generation), np.asarray(item), affine)
    assert laid is not None
    return laid


def box(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]])


def test_a_picture_laid_over_itself_agrees_everywhere() -> None:
    picture = load_photograph("chelsea")
    same = overlay(picture, picture)
    assert same.agreement > 0.98
    assert same.contradicted == 0
    assert same.share_of_generation > 0.95
    assert same.share_of_item > 0.95
    assert same.informed_agreement > 15


def test_a_darker_copy_agrees_as_well() -> None:
    picture = load_photograph("coffee")
    darker = overlay(ImageEnhance.Brightness(picture).enhance(0.6), picture)
    assert darker.agreement > 0.9
    assert darker.share_of_item > 0.9


def test_the_region_of_an_inset_is_where_it_was_put() -> None:
    item, page = load_photograph("coffee"), load_photograph("astronaut").copy()
    page.paste(item.resize((240, 160), Image.Resampling.BICUBIC), (200, 100))
    scale = 240 / item.width
    found = overlay(page, item, np.array([[scale, 0, 200], [0, 160 / item.height, 100]]))
    assert intersection_over_union(found.region, box(200, 100, 440, 260)) > 0.85
    assert found.share_of_generation == pytest.approx(240 * 160 / page.width / page.height, rel=0.15)
    assert found.share_of_item > 0.85


def test_what_was_replaced_is_not_of_the_region() -> None:
    item, page = load_photograph("chelsea"), load_photograph("chelsea").copy()
    stranger = load_photograph("astronaut").resize(item.size)
    page.paste(stranger.crop((item.width // 2, 0, item.width, item.height)), (item.width // 2, 0))
    found = overlay(page, item)
    assert intersection_over_union(found.region, box(0, 0, item.width / 2, item.height)) > 0.7
    assert 0.35 < found.share_of_item < 0.65
    assert found.contradicted > 0.2


def test_strangers_have_next_to_no_informed_agreement() -> None:
    item = load_photograph("chelsea")
    found = overlay(load_photograph("coffee").resize(item.size), item)
    assert found.informed_agreement < 1
    assert found.contradicted > 0.3


def test_flat_pictures_agree_in_nothing_that_counts() -> None:
    flat = Image.new("RGB", (200, 200), "white")
    found = overlay(flat, flat)
    assert found.informed_agreement == pytest.approx(0, abs=0.05)
    assert found.agreement == 0


def test_what_lies_outside_or_is_too_small_is_not_compared() -> None:
    picture = np.asarray(load_photograph("coffee"))
    assert lay_over(picture, picture, np.array([[1.0, 0, 5000], [0, 1, 0]])) is None
    assert lay_over(picture, picture, np.array([[0.03, 0, 10], [0, 0.03, 10]])) is None


def test_intersection_over_union_is_a_share() -> None:
    assert intersection_over_union(box(0, 0, 10, 10), box(0, 0, 10, 10)) == pytest.approx(1)
    assert intersection_over_union(box(0, 0, 10, 10), box(5, 0, 15, 10)) == pytest.approx(1 / 3)
    assert intersection_over_union(box(0, 0, 10, 10), box(20, 0, 30, 10)) == 0
    assert intersection_over_union(box(0, 0, 10, 10), np.empty((0, 2))) == 0
