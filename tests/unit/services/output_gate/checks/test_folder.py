"""A folder of images: a line for each, and a run that goes on where it was."""

import json
from pathlib import Path
from typing import Any

import pytest

from services.output_gate.checks.folder import check_files, list_images, open_run
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
    (folder / "notes.txt").write_text("no image")
    assert list_images(folder) == ["a.png", "sub/b.PNG"]
    lines = run_folder(world, folder, results)
    assert [(line["file"], line["decision"]) for line in lines] == [("a.png", "flag"), ("sub/b.PNG", "refused")]
    assert lines[0]["match"]["id"] == world.items[1].id
    results.write_text(results.read_text() + '{"file": "half')
    (folder / "c.png").write_bytes(png(5_000))
    assert [line["file"] for line in run_folder(world, folder, results)] == ["a.png", "sub/b.PNG", "c.png"]


def test_what_cannot_be_run(world: MemoryWorld, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        list_images(tmp_path / "none")
    with pytest.raises(InputError, match="got none"):
        run_folder(world, tmp_path, tmp_path / "out.jsonl")
    (tmp_path / "a.png").write_bytes(png(1))
    (tmp_path / "damaged.jsonl").write_text('{"no": "run"}\n')
    with pytest.raises(CorruptStateError):
        run_folder(world, tmp_path, tmp_path / "damaged.jsonl")
    (tmp_path / "other.jsonl").write_text('{"model": "another", "file": "a.png"}\n')
    with pytest.raises(ConflictError):
        run_folder(world, tmp_path, tmp_path / "other.jsonl")
