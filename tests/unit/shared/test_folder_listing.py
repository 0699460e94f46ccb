"""Every file below a folder is listed, or named with the reason why it is not read."""

import os
from pathlib import Path

import pytest

from shared.errors import InputError
from shared.folder_listing import list_files


def test_every_file_is_listed_or_named(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    (folder / "sub" / ".git").mkdir(parents=True)
    for name in ("b", "a.png", ".hidden", "sub/c.txt", "sub/.git/config"):
        (folder / name).write_bytes(b"x")
    (tmp_path / "out.png").write_bytes(b"x")
    (folder / "link").symlink_to("sub/c.txt")
    (folder / "out").symlink_to("../out.png")
    (folder / "gone").symlink_to("nowhere")
    (folder / "sub" / "up").symlink_to("..")
    os.mkfifo(folder / "pipe")
    listed = {file.path: file.problem and file.problem.code for file in list_files(folder)}
    named = {"out": "link_outside", "gone": "link_dangling", "pipe": "not_a_file"}
    assert listed == dict.fromkeys([".hidden", "a.png", "b", "link", "sub/.git/config", "sub/c.txt"]) | named
    assert list(listed) == sorted(listed)


def test_a_folder_may_be_a_link_and_what_the_caller_writes_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_bytes(b"x")
    (tmp_path / "in" / "results").write_bytes(b"x")
    (tmp_path / "link").symlink_to("in")
    listed = list_files(tmp_path / "link", without=[tmp_path / "in" / "results"])
    assert [(file.path, file.problem) for file in listed] == [("a", None)]
    with pytest.raises(InputError, match="expected a folder"):
        list_files(tmp_path / "none")
