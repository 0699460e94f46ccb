"""Folders that appear whole or not at all, and that one process at a time holds."""

from pathlib import Path

import pytest

from services.audit.training.atomic_folders import UNFINISHED_PREFIX, locked_folder, new_folder, remove_unfinished
from shared.errors import UnavailableError


def test_a_folder_replaces_the_one_before_when_its_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "model"
    for content in ("first", "second"):
        with new_folder(target) as folder:
            (folder / "weights").write_text(content)
    assert [path.read_text() for path in target.iterdir()] == ["second"]


def write_in_part(folder: Path) -> None:
    (folder / "weights").touch()
    raise ZeroDivisionError


def test_an_error_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), new_folder(tmp_path / "model") as folder:
        write_in_part(folder)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_writer_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / f"{UNFINISHED_PREFIX}folder").mkdir()
    (tmp_path / f"{UNFINISHED_PREFIX}file").touch()
    (tmp_path / "kept").touch()
    remove_unfinished(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_a_held_folder_is_refused_to_others_and_free_again_afterwards(tmp_path: Path) -> None:
    folder = tmp_path / "models" / "model-a"
    with locked_folder(folder), pytest.raises(UnavailableError, match="model-a"), locked_folder(folder):
        pass
    with locked_folder(folder):
        assert folder.is_dir()
