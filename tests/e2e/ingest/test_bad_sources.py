"""Damaged and hostile bulk sources: one clear line for each thing that is wrong, every other row kept."""

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from services.ingest.sources.registry import open_source
from services.ingest.sources.run import add_source
from services.ingest.sources.source import SourceOptions
from shared.errors import InputError
from shared.workspace import Workspace
from tests.support.factories import imagefolder, png
from tests.unit.services.ingest.small_sources import huggingface_rows, sample, write_parquet, write_tar

Lines = list[tuple[str, str, str | None]]


def add(workspace: Workspace, path: Path) -> Lines:
    """Register a source; (row, state, code) of each line of its status file."""
    options = SourceOptions("works", "Ada", 2**20, "MIT")
    result = add_source(workspace, open_source(path, options), options)
    told = [json.loads(line) for line in result.status_path.read_text(encoding="utf-8").splitlines()]
    assert all(line["message"] for line in told if line["state"] == "refused")
    assert all("\n" not in line["message"] for line in told if line["message"])
    return [(line["row"], line["state"], line["code"]) for line in told]


def kept(lines: Lines) -> list[str]:
    return [row for row, state, _ in lines if state == "registered"]


def refused(lines: Lines) -> list[str | None]:
    return [code for _, state, code in lines if state == "refused"]


def test_a_tar_cut_at_any_block_keeps_what_is_whole(workspace: Workspace, tmp_path: Path) -> None:
    data = write_tar(tmp_path / "whole.tar", [member for n in range(3) for member in sample(f"{n}", n)]).read_bytes()
    cut = tmp_path / "cut.tar"
    # The third sample begins behind two members of header, content and padding each, twice.
    cut.write_bytes(data[: data.index(b"2.png") + 700])
    lines = add(workspace, cut)
    assert kept(lines) == ["0", "1"]
    assert set(refused(lines)) == {"source_damaged"}


def link(name: str, target: str, kind: bytes) -> tuple[str, bytes | tarfile.TarInfo]:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return name, member


def test_names_and_links_that_lead_out_of_a_tar_are_refused(workspace: Workspace, tmp_path: Path) -> None:
    columns = json.dumps({"title": "x"}).encode()
    outside = [("/etc/a.png", png(1)), ("/etc/a.json", columns), ("../../b.png", png(2)), ("../../b.json", columns)]
    links = [
        link("c.png", "/etc/passwd", tarfile.SYMTYPE),
        ("c.json", columns),
        link("d.png", "0.png", tarfile.LNKTYPE),
        ("d.json", columns),
        link("e.png", "", tarfile.FIFOTYPE),
        ("e.json", columns),
    ]
    path = write_tar(tmp_path / "in.tar", [*sample("0", 0), *outside, *links, *sample("1", 9)])
    lines = add(workspace, path)
    assert kept(lines) == ["0", "1"]
    assert refused(lines) == ["path_outside", "path_outside", "member_kind", "member_kind", "member_kind"]
    assert not (tmp_path.parent / "b.png").exists()


def test_a_compressed_tar_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "in.tar"
    with tarfile.open(path, "w:gz") as tar:
        member = tarfile.TarInfo("0.png")
        tar.addfile(member, io.BytesIO(b""))
    with pytest.raises(InputError, match="no plain tar"):
        add(workspace, path)


def cut_parquet(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def damage_parquet(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4:200] = bytes(196)
    path.write_bytes(data)


@pytest.mark.parametrize("damage", [cut_parquet, damage_parquet])
def test_a_damaged_parquet_file_is_one_clear_error(
    workspace: Workspace, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    path = write_parquet(tmp_path / "in.parquet", huggingface_rows(8))
    damage(path)
    with pytest.raises(InputError) as caught:
        add(workspace, path)
    assert (caught.value.code, "\n" in caught.value.message.strip()) == ("source_damaged", False)


def test_a_parquet_file_without_images_is_one_clear_error(workspace: Workspace, tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "in.parquet", [{"title": "x"}])
    with pytest.raises(InputError) as caught:
        add(workspace, path)
    assert caught.value.code == "image_column_missing"


def test_a_folder_keeps_its_good_lines(workspace: Workspace, tmp_path: Path) -> None:
    folder = imagefolder(tmp_path / "in", 5)
    lines = (folder / "metadata.jsonl").read_bytes().splitlines()
    row = json.loads(lines[3])
    secret = tmp_path / "secret.png"
    secret.write_bytes(png(77))
    (folder / "images" / "link.png").symlink_to(secret)
    (folder / "images" / "loop.png").symlink_to(folder / "images" / "loop.png")
    bad = [
        lines[1][:-9],
        b"[]",
        b"[" * 100_000,
        b'{"file_name": "\xff\xfe"}',
        b'{"file_name": "\\ud800.png", "licence": "MIT"}',
        json.dumps(row | {"file_name": "../secret.png"}).encode(),
        json.dumps(row | {"file_name": str(secret)}).encode(),
        json.dumps(row | {"file_name": "images/link.png"}).encode(),
        json.dumps(row | {"file_name": "images/loop.png"}).encode(),
        json.dumps(row | {"file_name": "images/a\0b.png"}).encode(),
        json.dumps(row | {"file_name": "images"}).encode(),
        json.dumps(row | {"title": "a\0b"}).encode(),
        b"",
    ]
    (folder / "metadata.jsonl").write_bytes(b"\n".join([lines[0], *bad, lines[2]]))
    told = add(workspace, folder)
    assert kept(told) == ["images/000.png", "images/003.png", "images/002.png"]
    # The empty line is none, and a zero character spoils its title only. Two pictures are named by no row that can be read.
    assert len(refused(told)) == len(bad) - 2 + 2
    assert told[-2:] == [(f"images/00{n}.png", "refused", "file_not_named") for n in (1, 4)]
    assert refused(told)[5:8] == ["path_outside"] * 3


def test_a_csv_in_another_encoding_is_read(workspace: Workspace, tmp_path: Path) -> None:
    folder = imagefolder(tmp_path / "in", 3)
    (folder / "metadata.jsonl").unlink()
    rows = ["file_name,title,licence", "images/000.png,Müller,MIT", "images/001.png,plain,MIT", "images/002.png,late,MIT"]
    (folder / "metadata.csv").write_bytes("\r\n".join(rows).encode("latin-1"))
    told = add(workspace, folder)
    assert kept(told) == ["images/000.png", "images/001.png", "images/002.png"]
    assert refused(told) == []
