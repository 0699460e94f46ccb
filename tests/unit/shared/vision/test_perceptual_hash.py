"""PDQ hashes: what keeps them and what does not; distances, scans and pairs against counting bit by bit."""

import pytest
from PIL import Image

from shared.errors import InputError
from shared.vision import perceptual_hash
from shared.vision.near_hash_pairs import near_pairs
from shared.vision.perceptual_hash import (
    MATCH_DISTANCE,
    find_near,
    hash_image,
    measure_distances,
    pack_hashes,
)
from tests.support.factories import picture
from tests.unit.shared.vision.hashes import distance, random_hashes


@pytest.fixture(params=[7, 64, 32_768])
def blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(perceptual_hash, "BLOCK_HASHES", request.param)


@pytest.mark.usefixtures("blocks")
def test_distances_are_the_bits_that_differ() -> None:
    hashes = [*random_hashes(60, 1), bytes(32), b"\xff" * 32]
    expected = [[distance(a, b) for b in hashes] for a in hashes]
    assert measure_distances(pack_hashes(hashes), pack_hashes(hashes)).tolist() == expected
    assert expected[-1][-2] == 256


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize("max_distance", [0, 31, 128, 256])
def test_a_scan_finds_what_a_loop_finds(max_distance: int) -> None:
    hashes = random_hashes(90, 2)
    rows, distances = find_near(pack_hashes(hashes[:1]), pack_hashes(hashes), max_distance)
    expected = [
        (at, distance(hashes[0], value)) for at, value in enumerate(hashes) if distance(hashes[0], value) <= max_distance
    ]
    assert list(zip(rows.tolist(), distances.tolist(), strict=True)) == expected


def test_no_hashes_have_no_pairs() -> None:
    assert list(near_pairs(pack_hashes([]), 31)) == []
    assert find_near(pack_hashes([bytes(32)]), pack_hashes([]), 31)[0].tolist() == []


def test_a_hash_of_another_length_is_refused() -> None:
    with pytest.raises(InputError, match="32"):
        pack_hashes([bytes(32), bytes(31)])


@pytest.mark.parametrize("side_px", [8, 24, 64, 96, 700])
def test_pictures_of_any_size_are_hashed(side_px: int) -> None:
    hashed = hash_image(picture(1, side_px))
    assert len(hashed.value) == 32
    assert hashed.is_defined
    assert 50 <= hashed.quality <= 100


def test_a_large_picture_has_nearly_the_hash_of_a_smaller_copy() -> None:
    large = picture(1, 1500).resize((1500, 900))
    small = hash_image(large.resize((500, 300), Image.Resampling.LANCZOS))
    assert distance(hash_image(large).value, small.value) <= 10
    assert distance(hash_image(large).value, hash_image(picture(2, 1500)).value) > 2 * MATCH_DISTANCE


@pytest.mark.parametrize("colour", ["black", "white", "red", (120, 130, 140)])
def test_a_flat_picture_has_no_defined_hash(colour: str | tuple[int, int, int]) -> None:
    hashed = hash_image(Image.new("RGB", (80, 60), colour))
    assert (hashed.quality, hashed.is_defined) == (0, False)
