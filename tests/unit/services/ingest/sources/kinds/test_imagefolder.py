"""Imagefolders: every column kept, bad rows named one by one, good rows kept, a second run adds nothing."""

import csv
import json
from pathlib import Path

import pytest
from sqlmodel import select

from services.ingest.bulk.pipeline import BulkResult, register_rows
from services.ingest.sources.kinds.imagefolder import count_rows, read_imagefolder
from shared.errors import InputError
from shared.records.item_owners import load_owners
from shared.records.items import Item
from shared.workspace import Workspace
from tests.support.factories import encode, imagefolder, picture, png


def add(workspace: Workspace, folder: Path) -> BulkResult:
    return register_rows(workspace, read_imagefolder(folder, "works", "Ada", workspace.limits.max_bytes))


def test_all_rows_are_registered_and_a_second_run_adds_nothing(any_workspace: Workspace, tmp_path: Path) -> None:
    folder = imagefolder(tmp_path / "in", 7)
    first, second = add(any_workspace, folder), add(any_workspace, folder)
    assert (first.created, first.known, first.bad) == (7, 0, [])
    assert (second.created, second.known, second.bad) == (0, 7, [])
    assert any_workspace.log.size == 7
    with any_workspace.reading() as session:
        items = session.exec(select(Item).order_by(Item.source_key)).all()
        owners = load_owners(session, [items[4].id])[items[4].id]
    assert items[4].extra == {"keywords": ["a", "b"]}
    assert items[4].source_url == "https://example.org/works/4"
    assert [(party.name, party.url) for _, party in owners] == [("Creator 1", "https://example.org/creator/1")]


def test_bad_rows_are_named_and_the_good_ones_kept(workspace: Workspace, tmp_path: Path) -> None:
    folder = imagefolder(tmp_path / "in", 3)
    good = {"licence": "CC0-1.0"}
    (folder / "short.png").write_bytes(png(1)[:150])
    (folder / "words.png").write_text("words", encoding="utf-8")
    (folder / "dot.png").write_bytes(encode(picture(1, 1)))
    (folder / "fine.png").write_bytes(png(50))
    (tmp_path / "outside.png").write_bytes(png(51))
    rows = [
        {"file_name": "short.png", **good},
        {"file_name": "words.png", **good},
        {"file_name": "dot.png", **good},
        {"file_name": "fine.png"},
        {"file_name": "nowhere.png", **good},
        {"file_name": "../outside.png", **good},
        {"file_name": "fine.png", "sha256": "0" * 64, **good},
        {"file_name": "fine.png", "source_url": "not a url", **good},
        {**good},
    ]
    with (folder / "metadata.jsonl").open("a", encoding="utf-8") as file:
        file.write("".join(json.dumps(row) + "\n" for row in rows) + "[1, 2]\n{broken\n")
    result = add(workspace, folder)
    assert result.created == 4
    assert {(bad.key, bad.error.code) for bad in result.bad} == {
        ("short.png", "image_damaged"),
        ("words.png", "not_an_image"),
        ("dot.png", "image_too_small"),
        ("fine.png", "licence_missing"),
        ("nowhere.png", "file_missing"),
        ("../outside.png", "path_outside"),
        ("fine.png", "sha256_differs"),
        ("line 12", "row_invalid"),
        ("line 13", "row_invalid"),
        ("line 14", "row_invalid"),
    }


def test_csv_metadata_is_read_too(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(1))
    with (tmp_path / "metadata.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("file_name", "license", "author"), ("a.png", "mit", "Ann")])
    assert count_rows(tmp_path) == 1
    assert add(workspace, tmp_path).created == 1
    with workspace.reading() as session:
        item = session.exec(select(Item)).one()
    assert item.licence == "MIT"


@pytest.mark.parametrize("names", [(), ("metadata.csv", "metadata.jsonl")])
def test_a_folder_needs_one_metadata_file(tmp_path: Path, names: tuple[str, ...]) -> None:
    for name in names:
        (tmp_path / name).write_text("", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        count_rows(tmp_path)
    assert caught.value.code == "metadata_missing"


def test_the_openmoji_set_is_understood_without_flags(workspace: Workspace, shared_data: Path, tmp_path: Path) -> None:
    source = shared_data / "openmoji"
    lines = (source / "metadata.jsonl").read_text(encoding="utf-8").splitlines()[:40]
    (tmp_path / "images").symlink_to(source / "images")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "metadata.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for line in lines:
        name = json.loads(line)["file_name"]
        target = tmp_path / "in" / name
        target.parent.mkdir(exist_ok=True)
        target.write_bytes((source / name).read_bytes())
    assert add(workspace, tmp_path / "in").created == 40
    with workspace.reading() as session:
        item = session.exec(select(Item).order_by(Item.source_key)).first()
        assert item is not None
        [(owner, party)] = load_owners(session, [item.id])[item.id]
    assert (item.licence, party.name, owner.role) == ("CC-BY-SA-4.0", "Laura Dworatschek", "creator")
    assert item.acquired_from is not None
    assert set(item.extra) == {"keywords", "created", "origin_project"}
