"""Extraction: the relation against the rule that it takes its distance from, and cliques that are cliques."""

from itertools import combinations

import numpy as np
import pytest

from services.audit.audits import extraction
from services.audit.audits.extraction import find_cliques, relate
from shared.errors import InputError
from shared.matching.panel.tile_distances import tile_distances


def pictures(count: int, seed: int, shape: tuple[int, int, int] = (1, 9, 10)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), dtype=np.uint8)


def near(picture: np.ndarray, count: int, seed: int, levels: float = 3) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, levels, (count, *picture.shape))
    return np.clip(picture + noise, 0, 255).round().astype(np.uint8)


@pytest.mark.parametrize("shape", [(1, 9, 10), (3, 8, 8)])
@pytest.mark.parametrize("distance", [0.05, 0.15, 0.35])
def test_the_relation_is_that_of_tiled_l2(
    monkeypatch: pytest.MonkeyPatch, shape: tuple[int, int, int], distance: float
) -> None:
    monkeypatch.setattr(extraction, "BLOCK_ROWS", 8)
    base = pictures(4, 1, shape)
    # From near to far, so that every distance cuts somewhere.
    drawn = np.concatenate([near(base[at], 8, at, levels) for at, levels in enumerate((3, 15, 40, 90))])[:-3]
    everything = np.tile(np.arange(len(drawn)), (len(drawn), 1))
    expected = tile_distances(drawn, drawn, everything).worst_tile <= distance
    np.fill_diagonal(expected, val=False)
    got = np.unpackbits(relate(drawn, distance), axis=1, count=len(drawn)).astype(bool)
    np.testing.assert_array_equal(got, expected)


def test_planted_pictures_are_found_each_once() -> None:
    base = pictures(3, 1)
    drawn = np.concatenate([near(base[0], 12, 0), near(base[1], 20, 1), near(base[2], 9, 2), pictures(30, 5)])
    order = np.random.default_rng(3).permutation(len(drawn))
    place = np.argsort(order)
    found = find_cliques(drawn[order], size=10)
    assert [clique.members for clique in found] == [
        tuple(sorted(place[12:32].tolist())),
        tuple(sorted(place[:12].tolist())),
    ]
    for clique in found:
        members = drawn[order][list(clique.members)].astype(float)
        sums = [np.sqrt(((one - members) ** 2).sum(axis=(1, 2, 3))).sum() for one in members]
        assert clique.representative == clique.members[int(np.argmin(sums))]


def test_every_two_of_a_clique_are_near_and_no_generation_is_in_two() -> None:
    # A chain: neighbours are near, the ends are not.
    steps = np.linspace(0, 200, 60).round().astype(np.uint8)
    chain = np.broadcast_to(steps[:, None, None, None], (60, 1, 8, 8))
    found = find_cliques(np.ascontiguousarray(chain), size=3, distance=0.1)
    members = [member for clique in found for member in clique.members]
    assert len(members) == len(set(members)) > 30
    for clique in found:
        assert all(abs(int(steps[a]) - int(steps[b])) / 255 <= 0.1 for a, b in combinations(clique.members, 2))


def test_nothing_shared_nothing_found_and_bad_arguments() -> None:
    assert find_cliques(pictures(40, 1)) == []
    for arguments in ({"size": 1}, {"distance": 1.5}, {"distance": -0.1}):
        with pytest.raises(InputError):
            find_cliques(pictures(4, 1), **arguments)
    with pytest.raises(InputError):
        find_cliques(pictures(4, 1, (1, 3, 8)))
