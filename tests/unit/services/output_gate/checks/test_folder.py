"""A folder of images: a line for each, and a run that goes on where it was."""

import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from services.output_gate.checks.folder import check_files, open_run
from services.output_gate.commands.check import folder_exit_status
from shared.errors import ConflictError, CorruptStateError, InputError
from tests.support.factories import png
from tests.support.memory_gate import MemoryWorld


def run_folder(world: MemoryWorld, folder: Path, results: Path) -> list[dict[str, Any]]:
    with open_run(folder, results, world.model) as run:
        check_files(world.gate, world.model, run, lambda _: None)
    return [json.loads(line) for line in results.read_text().splitlines()]


def test_a_line_a_file_and_nothing_twice(world: MemoryWorld, tmp_path: Path) -> None:
    folder, results = tmp_path / "in", tmp_path / "out.jsonl"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.png").write_bytes(png(1))
    (folder / "sub" / "b.PNG").write_bytes(b"words")
    lines = run_folder(world, folder, results)
    assert [(line["file"], line["decision"]) for line in lines] == [("a.png", "flag"), ("sub/b.PNG", "refused")]
    assert lines[0]["match"]["id"] == world.items[1].id
    results.write_text(results.read_text() + '{"file": "half')
    (folder / "c.png").write_bytes(png(5_000))
    assert [line["file"] for line in run_folder(world, folder, results)] == ["a.png", "sub/b.PNG", "c.png"]


def test_what_cannot_be_run(world: MemoryWorld, tmp_path: Path) -> None:
    folder, results = tmp_path / "in", tmp_path / "out.jsonl"
    with pytest.raises(InputError, match="expected a folder"):
        run_folder(world, folder, results)
    folder.mkdir()
    with pytest.raises(InputError, match="got no file"):
        run_folder(world, folder, results)
    (folder / "a.png").write_bytes(png(1))
    results.write_text('{"no": "run"}\n')
    with pytest.raises(CorruptStateError):
        run_folder(world, folder, results)
    results.write_text('{"model": "another", "file": "a.png"}\n')
    with pytest.raises(ConflictError):
        run_folder(world, folder, results)


def test_every_file_has_a_line_whatever_its_name_says(world: MemoryWorld, tmp_path: Path) -> None:
    folder, results = tmp_path / "in", tmp_path / "in" / "out.jsonl"
    (folder / "sub").mkdir(parents=True)
    picture = Image.open(io.BytesIO(png(5_001))).convert("RGB")
    for name, kind in (("a.jfif", "JPEG"), ("noname", "PNG"), ("c.gif", "GIF"), ("d.tiff", "TIFF"), ("e.bmp", "BMP")):
        picture.save(folder / name, kind)
    picture.save(folder / ".hidden", "WEBP")
    (folder / "copy.txt").write_bytes(png(1))
    (folder / "notes.txt").write_text("no image")
    (folder / "empty").write_bytes(b"")
    with zipfile.ZipFile(folder / "more.zip", "w") as archive:
        archive.writestr("a.png", png(1))
    (tmp_path / "outside.png").write_bytes(png(1))
    (folder / "sub" / "inside").symlink_to(folder / "noname")
    (folder / "outside").symlink_to(tmp_path / "outside.png")
    (folder / "dangling").symlink_to("nowhere")
    (folder / "circle").symlink_to("circle")
    (folder / "folder-outside").symlink_to(tmp_path)
    (folder / "folder-inside").symlink_to("sub")
    os.mkfifo(folder / "pipe")
    (folder / os.fsdecode(b"not-utf8-\xff.png")).write_bytes(png(5_002))
    lines = {line["file"]: line for line in run_folder(world, folder, results)}
    reasons = {name: line["reason"] for name, line in lines.items() if line["decision"] == "refused"}
    assert reasons.pop("notes.txt") == reasons.pop("empty") == "not_an_image"
    assert reasons.pop("more.zip") == "archive_not_read"
    assert reasons.pop("outside") == reasons.pop("folder-outside") == "link_outside"
    assert reasons.pop("dangling") == reasons.pop("circle") == "link_dangling"
    assert reasons.pop("pipe") == "not_a_file"
    judged = {name for name, line in lines.items() if line["check"]}
    pictures = {"a.jfif", "noname", "c.gif", "d.tiff", "e.bmp", ".hidden", "copy.txt", "sub/inside"}
    assert judged | reasons.keys() == pictures | {os.fsdecode(b"not-utf8-\xff.png")}
    assert reasons.keys() <= {"c.gif", "d.tiff", "e.bmp"}
    assert lines["copy.txt"]["decision"] == "flag"
    # Nothing new: what has a line is not looked at again, and the results are no file of the folder.
    assert len(run_folder(world, folder, results)) == len(lines)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_what_may_not_be_read_has_a_line(world: MemoryWorld, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    (folder / "closed").mkdir(parents=True)
    (folder / "secret.png").write_bytes(png(1))
    (folder / "secret.png").chmod(0)
    (folder / "closed").chmod(0)
    try:
        lines = {line["file"]: line["reason"] for line in run_folder(world, folder, tmp_path / "out.jsonl")}
    finally:
        (folder / "closed").chmod(0o700)
    assert lines == {"closed": "folder_unreadable", "secret.png": "file_unreadable"}


def test_only_a_folder_of_clear_images_has_status_0() -> None:
    counts = ({"clear": 2}, {"clear": 2, "refused": 1}, {"clear": 2, "undecided": 1}, {"refused": 1, "flag": 1})
    assert [folder_exit_status(count) for count in counts] == [0, 4, 4, 3]
