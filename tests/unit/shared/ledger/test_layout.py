"""Paths and widths of tiles."""

import pytest

from shared.ledger.layout import TilePlace, build_tile_path, parse_tile_path, tile_width


@pytest.mark.parametrize(
    ("place", "path"),
    [
        (TilePlace(0, 0, 256), "tile/0/000"),
        (TilePlace(0, 999, 1), "tile/0/999.p/1"),
        (TilePlace(63, 1000, 256), "tile/63/x001/000"),
        (TilePlace(1, 1234067, 255), "tile/1/x001/x234/067.p/255"),
        (TilePlace(None, 1234567, 256), "tile/entries/x001/x234/567"),
    ],
)
def test_a_place_has_one_path(place: TilePlace, path: str) -> None:
    assert build_tile_path(place.level, place.index, place.width) == path
    assert parse_tile_path(path) == place


@pytest.mark.parametrize(
    "path",
    [
        "tile/64/000",
        "tile/00/000",
        "tile/0/00",
        "tile/0/x000/000",
        "tile/0/001/000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/300",
        "tile/0/000.p/007",
        "tile/data/000",
        "tile/0/000\n",
        "tile/0/٠٠٠",
        "checkpoint",
    ],
)
def test_what_is_no_tile_path_is_none(path: str) -> None:
    assert parse_tile_path(path) is None


def test_widths_are_those_of_the_specifications_example() -> None:
    size = 70_000  # C2SP tlog-tiles, "Partial Tiles"
    assert [tile_width(0, index, size) for index in (0, 272, 273)] == [256, 256, 112]
    assert [tile_width(1, index, size) for index in (0, 1)] == [256, 17]
    assert tile_width(2, 0, size) == 1
    assert tile_width(3, 0, size) == 0
    assert tile_width(1, 0, 256) == 1
