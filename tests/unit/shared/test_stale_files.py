"""Unfinished files: those of the dead are removed, those that somebody may be writing stay."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.commands.main import app
from shared.blobs import BlobStore
from shared.files import save_atomically
from shared.stale_files import Leftovers, remove_leftovers

HOUR_SECONDS = 3600.0
# Stops in the middle of writing a blob: the file is there under its temporary name, half of it written.
WRITER = """
import os, sys, time
from pathlib import Path
from shared.blobs import BlobStore

write, first = os.write, True

def half(handle, data):
    global first
    if not first:
        return write(handle, data)
    first = False
    written = write(handle, data[: len(data) // 2])
    print("writing", flush=True)
    sys.stdin.readline()
    return written

os.write = half
BlobStore(Path(sys.argv[1])).save_many([b"x" * 1000])
"""


def start_writer(folder: Path) -> subprocess.Popen[str]:
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    assert writer.stdout.readline() == "writing\n"
    return writer


def stop(writer: subprocess.Popen[str]) -> None:
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    for stream in (writer.stdin, writer.stdout):
        assert stream is not None
        stream.close()


def age(path: Path, seconds: float) -> None:
    os.utime(path, (time.time() - seconds,) * 2)


def unfinished(folder: Path) -> list[Path]:
    return [path for path in folder.rglob(".new-*") if path.is_file()]


def test_what_a_killed_process_left_is_removed_and_what_a_living_one_writes_stays(tmp_path: Path) -> None:
    store = BlobStore(tmp_path)
    digest = store.save(b"finished")
    writer = start_writer(tmp_path)
    try:
        [temporary] = unfinished(tmp_path)
        age(temporary, 100 * HOUR_SECONDS)
        # Old, and yet its writer lives.
        assert remove_leftovers(tmp_path) == Leftovers(0, 0, 1)
    finally:
        stop(writer)
    assert temporary.stat().st_size == 500
    assert remove_leftovers(tmp_path) == Leftovers(1, 500, 0)
    assert unfinished(tmp_path) == []
    assert store.load(digest) == b"finished"


def test_a_living_writer_finishes_after_a_tidying(tmp_path: Path) -> None:
    writer = start_writer(tmp_path)
    try:
        age(unfinished(tmp_path)[0], 2 * HOUR_SECONDS)
        remove_leftovers(tmp_path)
        writer.communicate("\n", timeout=30)
        assert writer.returncode == 0
    finally:
        writer.kill()
        writer.wait()
    assert [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()] == [b"x" * 1000]


@pytest.fixture
def dead_process_id() -> int:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def test_only_old_files_of_exactly_such_names_are_removed(tmp_path: Path, dead_process_id: int) -> None:
    (tmp_path / "blobs" / "ab").mkdir(parents=True)
    (tmp_path / ".new-folder123").mkdir()
    random, folder = "0123456789abcdef", tmp_path / "blobs" / "ab"
    removed = [f".new-{dead_process_id}-{random}", f".new-{random}"]
    others = ["a" * 64, ".new-", ".new-notes.txt", f".new-{random}0", f"x.new-{random}", f".new-0-{random}"]
    target = tmp_path / "elsewhere"
    save_atomically(target, b"keep")
    (folder / f".new-{'f' * 16}").symlink_to(target)
    for name in [*removed, *others]:
        (folder / name).write_bytes(b"1234")
        age(folder / name, 2 * HOUR_SECONDS)
    young = folder / f".new-{dead_process_id}-{'e' * 16}"
    young.write_bytes(b"")
    assert remove_leftovers(tmp_path) == Leftovers(2, 8, 1)
    assert {path.name for path in folder.iterdir()} == {*others, young.name, f".new-{'f' * 16}"}
    assert target.read_bytes() == b"keep"
    assert remove_leftovers(tmp_path, older_than_seconds=0) == Leftovers(1, 0, 0)
    assert remove_leftovers(tmp_path / "not there") == Leftovers(0, 0, 0)


def test_the_command_tidies_the_home_folder(tmp_path: Path, dead_process_id: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLEEVE_HOME", str(tmp_path))
    left = tmp_path / f".new-{dead_process_id}-{'a' * 16}"
    left.write_bytes(b"12345")
    age(left, 2 * HOUR_SECONDS)
    runner = CliRunner(env={"COLUMNS": "160"})
    assert runner.invoke(app, ["ingest", "tidy", "--older-than-hours", "0.5"]).exit_code != 0
    assert "0 unfinished files removed" in runner.invoke(app, ["ingest", "tidy", "--older-than-hours", "3"]).output
    assert "1 unfinished files removed, 5 bytes" in runner.invoke(app, ["ingest", "tidy"]).output
    assert not left.exists()
