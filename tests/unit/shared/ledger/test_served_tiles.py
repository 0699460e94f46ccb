"""What is handed out of a log's folder is what the checkpoint was signed over, or an error."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.errors import CorruptStateError, NotFoundError
from shared.ledger.log import Log

Append = Callable[[int], list[int]]


def paths_of(log: Log) -> list[Path]:
    return sorted(path for path in log.folder.rglob("tile/**/*") if path.is_file())


@pytest.mark.parametrize("size", [1, 255, 256, 257, 600])
def test_whole_files_are_handed_out(log: Log, append: Append, size: int) -> None:
    append(size)
    log.integrate()
    for path in paths_of(log):
        assert log.resource(str(path.relative_to(log.folder))) == path.read_bytes()


@pytest.mark.parametrize("is_known", [False, True])
def test_a_damaged_file_is_not_handed_out(log: Log, append: Append, is_known: bool) -> None:
    append(600)
    log.integrate()
    for path in paths_of(log):
        name, whole = str(path.relative_to(log.folder)), path.read_bytes()
        if is_known:
            log.resource(name)
        for damaged in (whole[:-1], whole + b"x", b"", whole[:5] + bytes([whole[5] ^ 1]) + whole[6:]):
            path.write_bytes(damaged)
            os.utime(path, ns=(1, 1))
            with pytest.raises(CorruptStateError) as caught:
                log.resource(name)
            assert caught.value.code == "tile_damaged"
        path.write_bytes(whole)
        assert log.resource(name) == whole


def test_the_head_of_a_damaged_file_is_not_handed_out(log: Log, append: Append) -> None:
    append(256)
    log.integrate()
    path = log.folder / "tile" / "0" / "000"
    path.write_bytes(bytes(32) + path.read_bytes()[32:])
    with pytest.raises(CorruptStateError):
        log.resource("tile/0/000.p/3")


def test_a_grown_log_hands_out_what_was_unfinished(log: Log, append: Append) -> None:
    for count in (3, 250, 10):
        append(count)
        log.integrate()
        for path in paths_of(log):
            log.resource(str(path.relative_to(log.folder)))
    head = log.resource("tile/0/000")[: 32 * 3]
    assert log.resource("tile/0/000.p/3") == head
    with pytest.raises(NotFoundError):
        log.resource("tile/0/001.p/200")
