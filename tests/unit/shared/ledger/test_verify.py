"""Verification of a whole log's folder: whatever is changed, dropped or slipped in is found and named."""

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from shared.errors import VerificationError
from shared.ledger.log import Log
from shared.ledger.note import Signer
from shared.ledger.repository import insert_entries
from shared.ledger.verify import verify_log

Append = Callable[[int], list[int]]


@pytest.fixture
def engine(sqlite_engine: Engine) -> Engine:
    return sqlite_engine


def files_of(log: Log) -> list[Path]:
    return sorted(path for path in log.folder.rglob("*") if path.is_file() and path.name != ".lock")


def flip(path: Path, position: int) -> None:
    """Flip one bit of one byte in place; doing it again restores it."""
    with path.open("r+b") as file:
        file.seek(position)
        byte = file.read(1)[0]
        file.seek(position)
        file.write(bytes([byte ^ 1 << position % 8]))


def assert_found(log: Log, path: Path) -> None:
    name = str(path.relative_to(log.folder))
    with pytest.raises(VerificationError, match="expected") as caught:
        verify_log(log.folder, log.vkey)
    # A bundle's change shows in the tile over it, which names the bundle; a checkpoint's only in the checkpoint.
    assert name in caught.value.message


def test_every_flipped_byte_of_a_small_log_is_found(log: Log, engine: Engine) -> None:
    entries = [bytes([number]) * (number % 7) for number in range(99)] + [b"x" * 300]
    with Session(engine) as session:
        insert_entries(session, entries)  # to the tree an entry is any bytes; short ones keep the test short
        session.commit()
    log.integrate()
    assert verify_log(log.folder, log.vkey).size == 100
    files = files_of(log)
    assert len(files) == 3
    for path in files:
        for position in range(path.stat().st_size):
            flip(path, position)
            assert_found(log, path)
            flip(path, position)


@pytest.fixture
def larger(log: Log, append: Append) -> Log:
    """A log with full tiles, unfinished ones of two sizes, and two levels."""
    for count in (520, 30, 40):
        append(count)
        log.integrate()
    return log


def test_a_log_of_many_tiles_holds(larger: Log) -> None:
    report = verify_log(larger.folder, larger.vkey)
    assert (report.origin, report.size) == ("example.com/log", 590)
    assert report.root == larger.checkpoint().root
    assert (report.bundles, report.tiles, report.files_beyond_checkpoint) == (3, 4, 0)


def test_a_flipped_byte_in_any_file_is_found(larger: Log) -> None:
    for path in files_of(larger):
        size_bytes = path.stat().st_size
        for position in {0, 1, size_bytes // 2, size_bytes - 1}:
            flip(path, position)
            assert_found(larger, path)
            flip(path, position)


def test_a_file_cut_short_or_grown_is_found(larger: Log) -> None:
    for path in files_of(larger):
        original = path.read_bytes()
        for changed in (b"", original[:-1], original + b"\0"):
            path.write_bytes(changed)
            assert_found(larger, path)
        path.write_bytes(original)


def test_a_missing_file_is_named(larger: Log) -> None:
    kept = {"tile/0/002.p/8", "tile/0/002.p/38", "tile/entries/002.p/8", "tile/entries/002.p/38"}
    for path in files_of(larger):
        if str(path.relative_to(larger.folder)) in kept:
            continue  # of earlier sizes: the format lets a log drop them only later, but nothing hangs on them
        original = path.read_bytes()
        path.unlink()
        assert_found(larger, path)
        path.write_bytes(original)


@pytest.mark.parametrize("name", ["note.txt", "tile/0/000.bak", "tile/0/00", "tile/.lock", "tile/0/000.p/256"])
def test_a_foreign_file_is_named(larger: Log, name: str) -> None:
    path = larger.folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"")
    assert_found(larger, path)


def test_tiles_beyond_the_checkpoint_are_counted(larger: Log, append: Append) -> None:
    old = (larger.folder / "checkpoint").read_bytes()
    append(300)
    larger.integrate()
    (larger.folder / "checkpoint").write_bytes(old)  # as if killed before the checkpoint was published
    report = verify_log(larger.folder, larger.vkey)
    assert (report.size, report.files_beyond_checkpoint) == (590, 5)


def test_the_same_entries_in_another_order_are_found(
    log: Log, engine: Engine, signer: Signer, append: Append, tmp_path: Path
) -> None:
    append(5)
    log.integrate()
    other = Log(engine, tmp_path / "other", signer)
    with engine.begin() as connection:
        connection.execute(text('UPDATE log_entry SET "index" = NULL'))
        connection.execute(text("DELETE FROM log_checkpoint"))
        connection.execute(text('UPDATE log_entry SET "index" = 0 WHERE id = (SELECT max(id) FROM log_entry)'))
    other.integrate()
    (other.folder / "checkpoint").write_bytes((log.folder / "checkpoint").read_bytes())
    with pytest.raises(VerificationError, match="checkpoint: expected root"):
        verify_log(other.folder, log.vkey)


def test_another_key_does_not_verify(larger: Log) -> None:
    other = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    with pytest.raises(VerificationError, match="checkpoint: note: expected a signature of PeterNeumann"):
        verify_log(larger.folder, other)
