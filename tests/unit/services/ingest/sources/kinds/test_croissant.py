"""Croissant: image files and tables are read, digests checked first, everything else refused by name."""

import csv
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from shared.canonical import sha256_hex
from shared.errors import InputError
from shared.records.item_owners import load_owners
from shared.records.items import Item
from shared.workspace import Workspace
from tests.support.factories import png
from tests.unit.services.ingest.small_sources import add, columns, huggingface_rows, opened, refusals, write_parquet

IMAGE = "sc:ImageObject"
FIXTURES = Path(__file__).parent / "fixtures"
TEXT = "sc:Text"


def field(name: str, source: dict[str, Any], data_type: str = TEXT, **more: Any) -> dict[str, Any]:
    return {"@type": "cr:Field", "@id": f"records/{name}", "name": name, "dataType": data_type, "source": source, **more}


def column(of: str, name: str) -> dict[str, Any]:
    return {"fileObject": {"@id": of}, "extract": {"column": name}}


def describe(folder: Path, distribution: list[dict[str, Any]], fields: list[dict[str, Any]], /, **more: Any) -> Path:
    content = {
        "@context": {"@vocab": "https://schema.org/", "sc": "https://schema.org/", "cr": "http://mlcommons.org/croissant/"},
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.1",
        "name": "works",
        "url": "https://example.org/works",
        "license": "https://creativecommons.org/licenses/by/4.0/",
        "creator": {"@type": "Person", "name": "Cora Curator", "url": "https://example.org/cora"},
        "distribution": distribution,
        "recordSet": [{"@type": "cr:RecordSet", "@id": "records", "field": fields}],
        **more,
    }
    (folder / "croissant.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


def file_object(folder: Path, name: str, **more: Any) -> dict[str, Any]:
    digest = sha256_hex((folder / name).read_bytes())
    return {"@type": "cr:FileObject", "@id": name, "name": name, "contentUrl": name, "sha256": digest, **more}


def image_files(folder: Path, **more: Any) -> Path:
    """A description of a folder of image files."""
    (folder / "images" / "deep").mkdir(parents=True)
    for number in range(3):
        (folder / "images" / ("deep" if number == 2 else ".") / f"{number}.png").write_bytes(png(number))
    (folder / "images" / "skipped.png").write_bytes(png(9))
    files = {"@type": "cr:FileSet", "@id": "pictures", "includes": "images/*.png", "excludes": ["*skipped*"]}
    source = {"fileSet": {"@id": "pictures"}}
    fields = [
        field("picture", {**source, "extract": {"fileProperty": "content"}}, IMAGE),
        field("file", {**source, "extract": {"fileProperty": "filename"}}),
    ]
    return describe(folder, [files], fields, **more)


def parquet_table(folder: Path, **more: Any) -> Path:
    """A description of one Parquet file with the images inside, as Hugging Face describes its own."""
    write_parquet(folder / "data.parquet", huggingface_rows(5))
    image = {**column("data.parquet", "image"), "transform": {"jsonPath": "bytes"}}
    names = ("title", "creator", "licence", "url")
    fields = [field("image", image, IMAGE), *(field(name, column("data.parquet", name)) for name in names)]
    return describe(folder, [file_object(folder, "data.parquet")], fields, **more)


def csv_table(folder: Path) -> Path:
    """A description of a CSV of file names and titles."""
    for number in range(3):
        (folder / f"{number}.png").write_bytes(png(number))
    rows = [("file", "heading"), ("0.png", "Zero"), ("1.png", "One"), ("missing.png", "Two"), ("../outside.png", "Three")]
    with (folder / "table.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    table = {**file_object(folder, "table.csv"), "contentUrl": "https://example.org/files/table.csv?download=1"}
    fields = [field("picture", column("table.csv", "file"), IMAGE), field("title", column("table.csv", "heading"))]
    return describe(folder, [table], fields, license="CC0-1.0")


def test_image_files_take_licence_creator_and_url_of_the_data_set(workspace: Workspace, tmp_path: Path) -> None:
    source = opened(image_files(tmp_path))
    assert (source.kind, source.count()) == ("croissant", 3)
    assert add(workspace, tmp_path).created == 3
    assert add(workspace, tmp_path / "croissant.json").known == 3
    with workspace.reading() as session:
        items = session.exec(select(Item).order_by(Item.source_key)).all()
        [(owner, party)] = load_owners(session, [items[0].id])[items[0].id]
    assert [item.source_key for item in items] == ["images/0.png", "images/1.png", "images/deep/2.png"]
    assert (items[0].licence, items[0].acquired_from) == ("CC-BY-4.0", "https://example.org/works")
    assert items[0].licence_url == "https://creativecommons.org/licenses/by/4.0/"
    assert items[0].extra == {"file": "0.png"}
    assert (party.name, party.url, owner.basis) == ("Cora Curator", "https://example.org/cora", "creator of the data set")
    assert owner.confidence < 0.5


def test_rows_of_a_table_keep_their_own_licence_and_creator(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    assert opened(parquet_table(tmp_path / "in")).count() == 5
    assert add(workspace, tmp_path / "in").created == 5
    with workspace.reading() as session:
        item = session.exec(select(Item).where(Item.source_key == "4.png")).one()
        [(owner, party)] = load_owners(session, [item.id])[item.id]
    assert (item.licence, item.source_url, party.name) == ("CC0-1.0", "https://example.org/works/4", "Creator 1")
    assert owner.basis == "dataset metadata"
    assert [row.key for row in opened(tmp_path / "in").rows(3)] == ["3.png", "4.png"]


def test_a_csv_names_image_files_below_the_folder(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "outside.png").write_bytes(png(50))
    result = add(workspace, csv_table(tmp_path / "in"))
    assert result.created == 2
    assert [(bad.error.code) for bad in result.bad] == ["file_missing", "path_outside", "file_not_named"]
    assert opened(tmp_path / "in").count() is None
    with workspace.reading() as session:
        assert {(item.title, item.licence) for item in session.exec(select(Item))} == {("Zero", "CC0-1.0"), ("One", "CC0-1.0")}


def test_a_file_with_another_digest_is_not_read(workspace: Workspace, tmp_path: Path) -> None:
    parquet_table(tmp_path)
    write_parquet(tmp_path / "data.parquet", huggingface_rows(6))
    with pytest.raises(InputError) as caught:
        add(workspace, tmp_path)
    assert caught.value.code == "sha256_differs"
    assert workspace.log.integrate().size == 0


def test_a_licence_that_is_not_spdx_is_an_error_of_each_row(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    image_files(tmp_path / "in", license="https://example.org/terms")
    assert set(refusals(add(workspace, tmp_path / "in")).values()) == {"licence_not_spdx"}
    assert add(workspace, tmp_path / "in", licence="LicenseRef-terms").created == 3


UNSUPPORTED: dict[str, tuple[str, Any]] = {
    "inline data": ("data", [{"records/image": "a.png"}]),
    "annotation": ("annotation", {"name": "label"}),
    "no image field": ("field", [field("title", column("data.parquet", "title"))]),
    "sub-fields": ("field", [field("image", column("data.parquet", "image"), IMAGE, subField=[{"name": "x"}])]),
    "join": ("field", [field("image", column("data.parquet", "image"), IMAGE, references={"field": {"@id": "other/id"}})]),
    "regex of the image": (
        "field",
        [field("image", {**column("data.parquet", "image"), "transform": {"regex": "(.*)"}}, IMAGE)],
    ),
    "regex that runs for long": (
        "field",
        [
            field("image", column("data.parquet", "image"), IMAGE),
            field("title", {**column("data.parquet", "title"), "transform": {"regex": "(a+)+$"}}),
        ],
    ),
    "json path": ("field", [field("image", {"fileObject": {"@id": "data.parquet"}, "extract": {"jsonPath": "$"}}, IMAGE)]),
    "two sources": (
        "field",
        [field("image", column("data.parquet", "image"), IMAGE), field("title", column("other.csv", "title"))],
    ),
}


@pytest.mark.parametrize("case", UNSUPPORTED)
def test_what_is_not_supported_is_refused_by_name(tmp_path: Path, case: str) -> None:
    parquet_table(tmp_path)
    key, value = UNSUPPORTED[case]
    content = json.loads((tmp_path / "croissant.json").read_text(encoding="utf-8"))
    content["recordSet"][0][key] = value
    (tmp_path / "croissant.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        list(opened(tmp_path).rows())
    assert caught.value.code == "croissant_unsupported"


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"conformsTo": "http://mlcommons.org/croissant/0.8"}, "croissant_invalid"),
        ({"distribution": []}, "croissant_invalid"),
        (
            {"distribution": [{"@type": "cr:FileObject", "@id": "data.parquet", "contentUrl": "data.parquet"}]},
            "croissant_invalid",
        ),
        (
            {"distribution": [{"@type": "FileSet", "@id": "data.parquet", "includes": "*", "containedIn": {"@id": "a.zip"}}]},
            "croissant_unsupported",
        ),
        (
            {"distribution": [{"@type": "FileObject", "@id": "data.parquet", "contentUrl": "../x", "sha256": "0" * 64}]},
            "path_outside",
        ),
        (
            {"distribution": [{"@type": "FileObject", "@id": "data.parquet", "contentUrl": "x.parquet", "sha256": "0" * 64}]},
            "file_missing",
        ),
    ],
)
def test_what_does_not_hold_is_refused(tmp_path: Path, changed: dict[str, Any], code: str) -> None:
    with pytest.raises(InputError) as caught:
        list(opened(parquet_table(tmp_path, **changed)).rows())
    assert caught.value.code == code


@pytest.mark.parametrize("data", [b"{", b"[]", b"\xff\xfe", b'{"recordSet": 3}'])
def test_what_is_no_description_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "croissant.json").write_bytes(data)
    with pytest.raises(InputError) as caught:
        list(opened(tmp_path).rows())
    assert caught.value.code == "croissant_invalid"


def test_rows_with_a_column_missing_are_named(workspace: Workspace, tmp_path: Path) -> None:
    parquet_table(tmp_path)
    write_parquet(tmp_path / "data.parquet", [{"image": {"bytes": png(1), "path": "1.png"}, **columns(1, creator=None)}])
    content = json.loads((tmp_path / "croissant.json").read_text(encoding="utf-8"))
    content["distribution"] = [file_object(tmp_path, "data.parquet")]
    (tmp_path / "croissant.json").write_text(json.dumps(content), encoding="utf-8")
    assert set(refusals(add(workspace, tmp_path)).values()) == {"row_invalid"}


def test_the_hubs_own_description_is_read(workspace: Workspace, tmp_path: Path) -> None:
    """As the dataset viewer serves it, beside the files of the branch that it speaks of."""
    (tmp_path / "in" / "default" / "train").mkdir(parents=True)
    rows = [{"image": {"bytes": png(n), "path": f"{n}.png"}, "text": f"Work {n}"} for n in range(3)]
    write_parquet(tmp_path / "in" / "default" / "train" / "0000.parquet", rows)
    content = json.loads((FIXTURES / "hub_croissant.json").read_text(encoding="utf-8"))
    (tmp_path / "in" / "croissant.json").write_text(json.dumps(content), encoding="utf-8")
    assert (opened(tmp_path / "in").count(), add(workspace, tmp_path / "in").created) == (3, 3)
    with workspace.reading() as session:
        item = session.exec(select(Item).where(Item.source_key == "1.png")).one()
    assert (item.title, item.licence, item.extra) == ("Work 1", "CC-BY-4.0", {"split": "train"})


def joined_table(folder: Path, *, zipped: bool = False) -> Path:
    """Image files, and a table of their titles that a regular expression on their names joins to them."""
    pictures = {f"images/{n}.png": png(n) for n in range(3)}
    distribution = []
    files: dict[str, Any] = {"@type": "cr:FileSet", "@id": "pictures", "includes": "images/*.png"}
    if zipped:
        with zipfile.ZipFile(folder / "files.zip", "w") as archive:
            for name, data in pictures.items():
                archive.writestr(name, data)
        distribution.append(file_object(folder, "files.zip", encodingFormat="application/zip"))
        files["containedIn"] = {"@id": "files.zip"}
    else:
        (folder / "images").mkdir()
        for name, data in pictures.items():
            (folder / name).write_bytes(data)
    (folder / "titles.csv").write_text("id,heading\n0,Zero\n1,One\n", encoding="utf-8")
    distribution += [files, file_object(folder, "titles.csv")]
    file_name = {
        "fileSet": {"@id": "pictures"},
        "extract": {"fileProperty": "filename"},
        "transform": {"regex": r"([^/]*)\.png"},
    }
    fields = [
        field("picture", {"fileSet": {"@id": "pictures"}, "extract": {"fileProperty": "content"}}, IMAGE),
        field("id", file_name, references={"field": {"@id": "titles/id"}}),
        field("title", {"field": {"@id": "titles/heading"}}),
    ]
    titles = [
        {"@id": "titles/id", "source": column("titles.csv", "id")},
        {"@id": "titles/heading", "source": column("titles.csv", "heading")},
    ]
    describe(folder, distribution, fields)
    content = json.loads((folder / "croissant.json").read_text(encoding="utf-8"))
    content["recordSet"].append({"@id": "titles", "field": titles})
    (folder / "croissant.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


@pytest.mark.parametrize("zipped", [False, True])
def test_a_table_is_joined_to_image_files_by_a_regex(workspace: Workspace, tmp_path: Path, zipped: bool) -> None:
    (tmp_path / "in").mkdir()
    folder = joined_table(tmp_path / "in", zipped=zipped)
    result = add(workspace, folder)
    assert (result.created, result.bad) == (3, [])
    assert add(workspace, folder).known == 3
    with workspace.reading() as session:
        items = session.exec(select(Item).order_by(Item.source_key)).all()
    assert [(item.source_key, item.title) for item in items] == [
        ("images/0.png", "Zero"),
        ("images/1.png", "One"),
        ("images/2.png", None),
    ]


def test_an_archive_with_another_digest_is_not_read(tmp_path: Path) -> None:
    folder = joined_table(tmp_path, zipped=True)
    (folder / "files.zip").write_bytes((folder / "files.zip").read_bytes() + b"x")
    with pytest.raises(InputError) as caught:
        list(opened(folder).rows())
    assert caught.value.code == "sha256_differs"
