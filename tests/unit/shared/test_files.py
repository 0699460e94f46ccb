"""Atomic files: whole or absent, durable, and readable by whom the umask lets read them."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.files import save_all_atomically, save_atomically


@pytest.fixture
def usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.usefixtures("usual_umask")
def test_files_get_the_permissions_that_the_umask_gives(tmp_path: Path) -> None:
    save_atomically(tmp_path / "new" / "one", b"1")
    save_all_atomically({f"{tmp_path}/new/two": b"2"})
    assert [mode(tmp_path / "new" / name) for name in ("one", "two")] == [0o644, 0o644]


def test_many_files_are_written_whole_into_folders_made_as_needed(tmp_path: Path) -> None:
    files = {f"{tmp_path}/{number % 7}/deep/{number}": os.urandom(number * 100) for number in range(60)}
    save_all_atomically(files)
    assert {path: Path(path).read_bytes() for path in files} == files
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == len(files)
    save_all_atomically({})


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    save_atomically(tmp_path / "one", b"first")
    save_atomically(tmp_path / "one", b"2nd")
    assert (tmp_path / "one").read_bytes() == b"2nd"


def test_a_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError):
        save_atomically(tmp_path / "folder", b"1")
    with pytest.raises(IsADirectoryError):
        save_all_atomically({f"{tmp_path}/folder": b"1", f"{tmp_path}/other": b"2"})
    assert not list(tmp_path.glob(".new-*"))


def test_a_bare_name_is_a_file_of_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save_atomically(Path("one"), b"1")
    assert (tmp_path / "one").read_bytes() == b"1"
