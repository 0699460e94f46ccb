"""The folder that keeps tiles."""

from pathlib import Path

import pytest

from shared.errors import CorruptStateError
from shared.ledger.merkle import leaf_hash
from shared.ledger.tiles import TileStore


@pytest.mark.parametrize("path", ["tile/0/000", "tile/0/000.p/1", "tile/entries/000"])
def test_what_is_written_never_changes(tmp_path: Path, path: str) -> None:
    store = TileStore(tmp_path)
    with store.lock():
        store.write({path: b"once"})
        store.write({path: b"once"})
        with pytest.raises(CorruptStateError, match=r"expected the 5 bytes .* got 4 others"):
            store.write({path: b"twice"})
    assert (tmp_path / path).read_bytes() == b"once"


def test_what_a_crash_left_half_written_is_cleared(tmp_path: Path) -> None:
    store = TileStore(tmp_path)
    (tmp_path / ".tmp").mkdir()
    (tmp_path / ".tmp" / "0").write_bytes(b"half")
    with store.lock():
        assert not (tmp_path / ".tmp").exists()


def test_a_tile_is_read_from_the_full_one_where_the_partial_is_gone(tmp_path: Path) -> None:
    store = TileStore(tmp_path)
    hashes = [leaf_hash(bytes([number])) for number in range(256)]
    with store.lock():
        store.write({"tile/0/000": b"".join(hashes)})
    assert store.load_tile(0, 0, 17) == hashes[:17]


def test_a_tile_that_is_missing_or_short_is_a_corrupt_state(tmp_path: Path) -> None:
    store = TileStore(tmp_path)
    with pytest.raises(CorruptStateError, match=r"tile/0/000\.p/3: expected this tile"):
        store.load_tile(0, 0, 3)
    with store.lock():
        store.write({"tile/0/000.p/3": bytes(95)})
    with pytest.raises(CorruptStateError, match=r"tile/0/000\.p/3: expected 96 bytes, got 95"):
        store.load_tile(0, 0, 3)


@pytest.mark.parametrize(
    ("paths", "entries"),
    [
        ([], 0),
        (["000.p/1", "000.p/44"], 44),
        (["000"], 256),
        (["000", "000.p/44"], 256),
        (["000", "001.p/3"], 259),
        (["999", "x001/000.p/2", "x001/002"], 1003 * 256),
        (["x001/x234/067.p/12", "x001/x233/999", "999"], 1_234_067 * 256 + 12),
    ],
)
def test_bundles_say_how_far_the_folder_is(tmp_path: Path, paths: list[str], entries: int) -> None:
    store = TileStore(tmp_path)
    with store.lock():
        store.write({f"tile/entries/{path}": b"entries" for path in paths})
    assert store.count_bundled() == entries
