"""The photographs' parts: every one in one part, no creator in two, the sizes of the protocol."""

import itertools

import numpy as np
import pytest
from PIL import Image

from tests.campaigns.photograph_pictures import SIZES, build_smooth_and_mixed, deal_photographs, load_photographs, name_creator
from tests.support.paths import SHARED

needs_photographs = pytest.mark.skipif(
    not (SHARED / "data" / "photos").is_dir(), reason="the photographs are not beside the project"
)


@needs_photographs
def test_no_creator_is_in_two_parts_and_none_is_lost() -> None:
    photographs = load_photographs(SHARED / "data")
    samples = deal_photographs(photographs)
    parts = {(half, part): getattr(samples[half], part) for half, part in SIZES}
    assert {key: len(part) for key, part in parts.items()} == SIZES
    assert sum(SIZES.values()) == len({photograph.path.read_bytes() for part in parts.values() for photograph in part})
    creators = [{photograph.creator for photograph in part} for part in parts.values()]
    assert all(not one & other for one, other in itertools.combinations(creators, 2))


@needs_photographs
def test_the_deal_does_not_depend_on_the_order_of_the_list() -> None:
    photographs = load_photographs(SHARED / "data")
    assert deal_photographs(photographs) == deal_photographs(photographs[::-1])


def test_one_creator_under_several_names_is_one() -> None:
    assert {name_creator(name) for name in ("MdF", "User:Mdf", "Mdf")} == {"mdf"}
    assert name_creator("Andy Reago &amp; Chrissy McClarren") == "andyreagochrissymcclarren"


def test_smooth_and_mixed_pictures_have_no_sharp_part_of_one_picture() -> None:
    rng = np.random.default_rng(0)
    pictures = [Image.fromarray(rng.integers(0, 256, (40, 60, 3), dtype=np.uint8)) for _ in range(5)]
    made = build_smooth_and_mixed(pictures)
    smooth, mixed = made[:5], made[5:]
    assert len(mixed) == 5
    assert all(np.asarray(picture).std() < 15 for picture in smooth)
    # The average of four independent pictures spreads half as much.
    assert all(np.asarray(picture).std() == pytest.approx(np.asarray(pictures[0]).std() / 2, rel=0.1) for picture in mixed)
