"""The index of regions: a work that is a part of a picture is among the first; stored points are those that were described."""

from pathlib import Path

import numpy as np
from PIL import Image

from shared.matching.whole_picture.feature_store import load_pictures
from shared.matching.whole_picture.local_features import extract_features
from shared.matching.whole_picture.region_index import RegionIndex, load_regions
from shared.matching.whole_picture.regions import ITEM_REGIONS
from tests.unit.shared.matching.whole_picture.pictures import SIZE, load_photograph
from tests.unit.shared.matching.whole_picture.test_feature_store import NAMES, blobs, store

__all__ = ["blobs", "store"]


def find(index: RegionIndex, picture: Image.Image) -> list[int]:
    return index.find(extract_features(SIZE.resize(picture)), 2)


def test_an_inset_and_a_mirrored_crop_have_their_item_first() -> None:
    index = RegionIndex.build([extract_features(load_photograph(name)) for name in NAMES])
    page = load_photograph("rocket").copy()
    page.paste(load_photograph("chelsea").resize((240, 160)), (20, 20))
    assert find(index, page)[0] == NAMES.index("chelsea")
    crop = load_photograph("coffee").crop((150, 100, 450, 330)).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    assert find(index, crop)[0] == NAMES.index("coffee")
    assert find(index, Image.new("RGB", (300, 300), "white")) == []


def test_items_without_features_are_kept_and_never_found() -> None:
    flat = extract_features(Image.new("RGB", (300, 300), "white"))
    index = RegionIndex.build([flat, extract_features(load_photograph("coffee"))])
    assert len(index.points) == 2 * len(ITEM_REGIONS)
    assert find(index, load_photograph("coffee"))[0] == 1


def test_stored_points_are_those_that_were_described(store: object, blobs: list[str], tmp_path: Path) -> None:
    assert tmp_path.exists()
    pictures = load_pictures(store, "ab" * 32, blobs, SIZE)  # type: ignore[arg-type]
    stored = load_regions(pictures, "ab" * 32)
    fresh = RegionIndex.build([extract_features(load_photograph(name)) for name in NAMES])
    np.testing.assert_array_equal(stored.index.points.rows, fresh.points.rows)
    assert len(stored.vectors.files) == 3
