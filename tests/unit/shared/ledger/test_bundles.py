"""Entries as they are published: in order, from any index on, and no bundle that holds more or less than it should."""

from collections.abc import Callable

import pytest

from shared.errors import VerificationError
from shared.ledger.bundles import read_published, split_bundle
from shared.ledger.log import Log
from shared.ledger.readers import FolderReader

Append = Callable[[int], list[int]]


@pytest.mark.parametrize("start", [0, 1, 255, 256, 299, 300])
def test_published_entries_are_those_of_the_log_from_an_index_on(log: Log, append: Append, start: int) -> None:
    append(300)
    log.integrate()
    published = list(read_published(FolderReader(log.folder), start, 300))
    assert published == list(log.entries_since(start, 300))
    assert [index for index, _ in published] == list(range(start, 300))


def test_a_bundle_that_is_missing_is_named(log: Log, append: Append) -> None:
    append(300)
    log.integrate()
    (log.folder / "tile" / "entries" / "000").unlink()
    with pytest.raises(VerificationError, match="tile/entries/000"):
        list(read_published(FolderReader(log.folder), 0, 300))


@pytest.mark.parametrize(
    "data", [b"", b"\0", b"\0\1", b"\0\1a", b"\0\1a\0\2b", b"\0\1a\0\1bc", b"\0\1a\0\1b\0\1c", b"\xff\xffa\0\1b"]
)
def test_a_bundle_holds_exactly_its_entries(data: bytes) -> None:
    with pytest.raises(VerificationError, match="bundle: expected 2 entries"):
        split_bundle("bundle", data, 2)


def test_entries_may_be_empty() -> None:
    assert split_bundle("bundle", b"\0\0\0\1a", 2) == [b"", b"a"]
