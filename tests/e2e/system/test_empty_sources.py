"""Where nothing was read, no command that takes a source says that all is well: a message that tells it, and no status 0."""

import os
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from services.ingest.sources.registry import kind_names
from shared.workspace import Workspace
from tests.e2e.system.test_cli import SLEEVE
from tests.support.factories import imagefolder


def run(home: Path, *arguments: str | Path) -> tuple[int, str]:
    ran = subprocess.run(
        [*SLEEVE, *map(str, arguments)],
        env=os.environ | {"SLEEVE_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert "Traceback" not in ran.stderr, ran.stderr
    return ran.returncode, ran.stderr


def write_imagefolder(folder: Path) -> Path:
    folder.mkdir()
    (folder / "metadata.csv").write_text("file_name,licence\n", encoding="utf-8")
    return folder


def write_zip(folder: Path) -> Path:
    folder.mkdir()
    with zipfile.ZipFile(folder / "pictures.zip", "w") as archive:
        archive.writestr("metadata.csv", "file_name,licence\n")
    return folder / "pictures.zip"


def write_picture_files(folder: Path) -> Path:
    folder.mkdir()
    (folder / "notes.txt").write_text("no picture", encoding="utf-8")
    return folder


def write_webdataset(folder: Path) -> Path:
    folder.mkdir()
    tarfile.open(folder / "0.tar", "w").close()
    return folder / "0.tar"


def write_parquet(folder: Path) -> Path:
    folder.mkdir()
    pq.write_table(pa.table({"image": pa.array([], pa.binary())}), folder / "0.parquet")
    return folder / "0.parquet"


def write_arrow(folder: Path) -> Path:
    folder.mkdir()
    with pa.OSFile(str(folder / "0.arrow"), "wb") as file, pa.ipc.new_stream(file, pa.schema([("image", pa.binary())])):
        pass
    return folder / "0.arrow"


def write_url_list(folder: Path) -> Path:
    folder.mkdir()
    (folder / "urls.csv").write_text("url,license\n", encoding="utf-8")
    return folder / "urls.csv"


def write_jsonl(folder: Path) -> Path:
    folder.mkdir()
    (folder / "rows.jsonl").write_text("\n", encoding="utf-8")
    return folder / "rows.jsonl"


def write_celeba(folder: Path) -> Path:
    (folder / "img_align_celeba").mkdir(parents=True)
    return folder


def write_croissant(folder: Path) -> Path:
    folder.mkdir()
    (folder / "croissant.json").write_text('{"@type": "Dataset", "recordSet": []}', encoding="utf-8")
    return folder


EMPTY: dict[str, Callable[[Path], Path]] = {
    "imagefolder": write_imagefolder,
    "zip": write_zip,
    "picture_files": write_picture_files,
    "webdataset": write_webdataset,
    "parquet": write_parquet,
    "arrow": write_arrow,
    "url_list": write_url_list,
    "jsonl": write_jsonl,
    "celeba": write_celeba,
    "croissant": write_croissant,
}


def test_every_kind_of_source_is_tried() -> None:
    assert set(kind_names()) <= EMPTY.keys()


@pytest.mark.parametrize("name", EMPTY)
def test_a_source_without_a_picture_is_no_success(tmp_path: Path, name: str) -> None:
    path = EMPTY[name](tmp_path / name)
    named = () if name == "zip" else ("--kind", name)
    for _ in range(2):  # the second run finds what the first one left
        status, said = run(tmp_path / "home", "ingest", "add", path, "--acquirer", "Ada", *named)
        assert (status, said.count("error: ")) == (1, 1), said
        assert ("[source_empty]" in said) == (name != "croissant"), said


@pytest.mark.parametrize("name", ["pictures.zip", "0.tar", "rows.csv", "rows.jsonl", "0.parquet"])
def test_a_file_without_a_byte_is_no_success(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"")
    status, said = run(tmp_path / "home", "ingest", "add", tmp_path / name, "--acquirer", "Ada")
    assert (status, said.count("error: ")) == (1, 1), said


def test_the_same_source_with_a_picture_is_one(tmp_path: Path) -> None:
    for _ in range(2):
        command = ("ingest", "add", imagefolder(tmp_path / "in", 1) if not (tmp_path / "in").exists() else tmp_path / "in")
        assert run(tmp_path / "home", *command, "--acquirer", "Ada") == (0, "")


def test_no_other_command_calls_nothing_a_success(audited_workspace: Workspace, tmp_path: Path) -> None:
    empty, no_ids = tmp_path / "empty", tmp_path / "ids.txt"
    empty.mkdir()
    no_ids.write_text("\n", encoding="utf-8")
    search = ("--searched-by", "Rita", "--searched-at", "2026-03-01T10:00:00Z", "--source", "VG Bild-Kunst")
    commands: list[tuple[str | Path, ...]] = [
        ("ingest", "add", empty, "--acquirer", "Ada"),
        ("ingest", "manifests", "seal", "more", "--items-file", no_ids),
        ("ingest", "manifests", "seal", "more", "--dataset", "works", "--items-file", no_ids),
        ("ingest", "manifests", "seal", "more", "--dataset", "nowhere"),
        (
            "ingest",
            "diligence",
            "add",
            "--items-file",
            no_ids,
            *search,
            "--work-category",
            "design",
            "--result",
            "inconclusive",
        ),
        ("ingest", "archive", "verify", "--dataset", "nowhere"),
        ("ingest", "archive", "capture", "--dataset", "nowhere"),
        ("ingest", "archive", "states", "--dataset", "nowhere"),
        ("gate", "check", empty, "--model", "model-a", "--out", tmp_path / "results.jsonl"),
        ("compare", empty, empty),
        ("audit", "seal", "more", "--dataset", "nowhere", "--size", "1"),
        ("audit", "import", empty, "model-b", "--manifest", "small"),
        ("verify", "log", empty, "--key", audited_workspace.home / "log.vkey"),
    ]
    for command in commands:
        status, said = run(audited_workspace.home, *command)
        assert status == 1, (command, said)
        assert said.count("error: ") == 1, (command, said)
