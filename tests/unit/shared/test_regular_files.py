"""Pipes, sockets and devices are refused at once, wherever a file is read that a stranger may have made."""

import os
import socket
from pathlib import Path

import pytest

from services.ingest.sources.registry import open_source
from services.ingest.sources.source import SourceOptions
from shared.command_line.options import read_bytes
from shared.errors import InputError
from shared.regular_files import open_regular, require_regular

pytestmark = pytest.mark.timeout(20)


def special_files(folder: Path) -> dict[str, Path]:
    """A pipe, a socket, a device and a link to the pipe."""
    os.mkfifo(folder / "pipe")
    (folder / "link").symlink_to(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "socket"))
    return {"pipe": folder / "pipe", "link": folder / "link", "socket": folder / "socket", "device": Path("/dev/zero")}


@pytest.mark.parametrize("kind", ["pipe", "link", "socket", "device"])
def test_special_files_are_refused(tmp_path: Path, kind: str) -> None:
    path = special_files(tmp_path)[kind]
    with pytest.raises((InputError, OSError)):
        open_regular(path)
    with pytest.raises(InputError, match="regular file"):
        require_regular(path)
    with pytest.raises(InputError):
        read_bytes(path)
    with pytest.raises(InputError):
        open_source(path, SourceOptions("works", "Ada", 1_000_000))


def test_regular_files_are_read_and_folders_are_the_systems_matter(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"bytes")
    with open_regular(tmp_path / "file") as file:
        assert file.read() == b"bytes"
    with pytest.raises(IsADirectoryError):
        open_regular(tmp_path)
    require_regular(tmp_path)


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("jsonl", ["rows.jsonl"]),
        ("webdataset", ["0.tar"]),
        ("parquet", ["0.parquet"]),
        ("celeba", ["list_attr_celeba.txt"]),
        ("croissant", ["croissant.json"]),
    ],
)
def test_a_source_whose_file_is_a_pipe_does_not_hang(tmp_path: Path, kind: str, names: list[str]) -> None:
    (tmp_path / "img_align_celeba").mkdir()
    for name in names:
        os.mkfifo(tmp_path / name)
    path = tmp_path / names[0] if kind == "jsonl" else tmp_path
    with pytest.raises(InputError):
        list(open_source(path, SourceOptions("works", "Ada", 1_000_000), kind).rows())
