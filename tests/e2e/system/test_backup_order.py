"""Backups: the log's folder before the database goes on where it was; the other order is refused, and never forks the log."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shared.errors import CorruptStateError
from shared.ledger.verify import verify_log
from shared.settings import Settings
from shared.workspace import Workspace, open_workspace
from tests.support.factories import png, register

OpenAt = Callable[[Path], Workspace]


def add_entries(workspace: Workspace, first: int, count: int = 3) -> None:
    for seed in range(first, first + count):
        register(workspace, f"{seed}.png", png(seed))
    workspace.log.integrate()


def back_up_database(workspace: Workspace, backup: Path) -> None:
    backup.mkdir(exist_ok=True)
    source, target = sqlite3.connect(workspace.home / "sleeve.db"), sqlite3.connect(backup / "sleeve.db")
    source.backup(target)
    source.close()
    target.close()


def back_up_log(workspace: Workspace, backup: Path) -> None:
    shutil.copytree(workspace.home / "log", backup / "log")


def back_up_rest(workspace: Workspace, backup: Path) -> None:
    for name in ("blobs", "keys"):
        shutil.copytree(workspace.home / name, backup / name)
    shutil.copy(workspace.home / "storage-id", backup)


@pytest.fixture
def opens() -> Iterator[OpenAt]:
    opened: list[Workspace] = []

    def open_at(home: Path) -> Workspace:
        opened.append(open_workspace(Settings(home=home, database_url=None)))
        return opened[-1]

    yield open_at
    for workspace in opened:
        workspace.engine.dispose()


@pytest.fixture
def running(opens: OpenAt, tmp_path: Path) -> Workspace:
    workspace = opens(tmp_path / "running")
    add_entries(workspace, 0)
    return workspace


def count_rows(home: Path) -> int:
    database = sqlite3.connect(home / "sleeve.db")
    count = int(database.execute("SELECT count(*) FROM log_entry").fetchone()[0])
    database.close()
    return count


def test_log_before_database_goes_on_where_it_was(running: Workspace, opens: OpenAt, tmp_path: Path) -> None:
    backup = tmp_path / "backup"
    backup.mkdir()
    back_up_log(running, backup)
    add_entries(running, 10)
    back_up_database(running, backup)
    back_up_rest(running, backup)
    published = running.log.checkpoint()
    restored = opens(backup)
    restored.log.integrate()
    assert restored.log.checkpoint().note == published.note
    add_entries(restored, 20)
    verify_log(restored.log.folder, restored.log.vkey)
    # What was published before is a prefix of what is published now.
    assert restored.log.size > published.size
    assert list(restored.log.entries_since(0, published.size)) == list(running.log.entries_since(0, published.size))


@pytest.mark.parametrize("checkpoint_first", [False, True])
def test_database_before_log_is_refused_and_never_forks(
    running: Workspace, opens: OpenAt, tmp_path: Path, checkpoint_first: bool
) -> None:
    backup = tmp_path / "backup"
    back_up_database(running, backup)
    earlier = (running.home / "log" / "checkpoint").read_bytes()
    add_entries(running, 10, count=2)
    back_up_log(running, backup)
    back_up_rest(running, backup)
    if checkpoint_first:
        # As when a copy of a growing folder begins with the checkpoint.
        (backup / "log" / "checkpoint").write_bytes(earlier)
    rows = count_rows(backup)
    with pytest.raises(CorruptStateError, match=r"older than the log's folder .* restore a backup of the database") as caught:
        opens(backup)
    assert caught.value.code == "log_ahead"
    assert count_rows(backup) == rows
    back_up_database(running, backup)
    restored = opens(backup)
    add_entries(restored, 20)
    verify_log(restored.log.folder, restored.log.vkey)


def test_a_folder_of_another_history_is_refused(running: Workspace, opens: OpenAt, tmp_path: Path) -> None:
    backup = tmp_path / "backup"
    back_up_database(running, backup)
    back_up_rest(running, backup)
    # The same key and the same sizes, other entries: two histories of one log.
    add_entries(running, 10)
    other = opens(backup)
    add_entries(other, 20, count=5)
    shutil.rmtree(backup / "log")
    back_up_log(running, backup)
    with pytest.raises(CorruptStateError) as caught:
        opens(backup)
    assert caught.value.code == "log_foreign"
