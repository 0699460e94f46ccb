"""Folders and archives of pictures without a metadata file: labels and splits, img2dataset's files, every file a line."""

import json
import os
import zipfile
from pathlib import Path

import pytest
from sqlmodel import select

from services.ingest.bulk.rows import BadRow, NoPicture
from shared.errors import InputError
from shared.records.items import Item
from shared.workspace import Workspace
from tests.support.factories import encode, imagefolder, picture, png
from tests.unit.services.ingest.small_sources import add, columns, opened, refusals, write_parquet


def write(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def zipped(folder: Path, path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(folder).as_posix())
    return path


CLASSES = {f"train/{label}/{n}.png": png(10 * n + len(label)) for label in ("cat", "horse") for n in range(2)}


@pytest.mark.parametrize("as_zip", [False, True])
def test_class_folders_and_splits_are_kept(workspace: Workspace, tmp_path: Path, as_zip: bool) -> None:
    folder = write(tmp_path / "in", {**CLASSES, "README.md": b"# words"})
    path = zipped(folder, tmp_path / "in.zip") if as_zip else folder
    assert opened(path).kind == "picture_files"
    result = add(workspace, path, licence="CC0-1.0")
    assert (result.created, result.bad, result.no_pictures) == (4, [], 1)
    assert add(workspace, path, licence="CC0-1.0").known == 4
    with workspace.reading() as session:
        items = session.exec(select(Item).order_by(Item.source_key)).all()
    assert [item.source_key for item in items] == sorted(CLASSES)
    assert items[-1].extra == {"split": "train", "label": "horse"}


def img2dataset_files(folder: Path) -> Path:
    """Two shards as img2dataset's `files` output has them."""
    for shard in range(2):
        for n in range(3):
            key = f"{shard:05d}{n:04d}"
            row = {"key": key, "status": "success", "hash": 2**62, "pwatermark": float("nan"), **columns(n)}
            write(
                folder,
                {
                    f"{shard:05d}/{key}.jpg": encode(picture(10 * shard + n), "JPEG"),
                    f"{shard:05d}/{key}.json": json.dumps(row).encode(),
                    f"{shard:05d}/{key}.txt": b"a caption",
                },
            )
        write_parquet(folder / f"{shard:05d}.parquet", [{"url": "https://example.org/a", "status": "success"}])
        write(folder, {f"{shard:05d}_stats.json": b"{}"})
    return folder


def test_the_files_of_img2dataset_are_read_with_their_columns(workspace: Workspace, tmp_path: Path) -> None:
    folder = img2dataset_files(tmp_path / "in")
    assert (opened(folder).kind, opened(folder).count()) == ("picture_files", 8)
    result = add(workspace, folder)
    assert (result.created, result.bad, result.no_pictures) == (6, [], 4)
    with workspace.reading() as session:
        item = session.exec(select(Item).where(Item.source_key == "00001/000010002.jpg")).one()
    assert (item.title, item.licence, item.extra["hash"]) == ("Work 2", "CC0-1.0", str(2**62))
    rows = list(opened(folder).rows())
    for skip in (1, 3, 7, 9):
        assert [row.key for row in opened(folder).rows(skip)] == [row.key for row in rows[skip:]]


def test_pictures_are_known_by_their_content(workspace: Workspace, tmp_path: Path) -> None:
    files = {
        "a.jfif": encode(picture(1), "JPEG"),
        "b": png(2),
        "c.gif": encode(picture(3), "GIF"),
        "d.tiff": encode(picture(4), "TIFF"),
        "e.txt.bak": b"words",
        "f.png": b"words",
        "g.heic": b"\0\0\0\x18ftypheic\0\0\0\0heicmif1",
        "h.dat": b"PK\x03\x04 and more",
        "i.tar.gz": b"\x1f\x8b and more",
    }
    folder = write(tmp_path / "in", files)
    (folder / "dangling.png").symlink_to(folder / "nowhere.png")
    (folder / "loop").symlink_to(folder / "loop")
    (folder / "linked.png").symlink_to(folder / "b")
    (folder / "folder").symlink_to(folder)
    (folder / "out.png").symlink_to(write(tmp_path, {"out.png": png(9)}) / "out.png")
    os.mkfifo(folder / "pipe.png")
    rows = list(opened(folder, licence="MIT").rows())
    assert len(rows) == len(list(folder.iterdir()))
    assert [row.key for row in rows if isinstance(row, NoPicture)] == ["e.txt.bak"]
    result = add(workspace, folder, licence="MIT")
    assert result.created == 5
    codes = refusals(result)
    assert codes.pop("g.heic") in {"not_an_image", "image_format_unsupported", "format_not_read", "image_format_refused"}
    assert codes == {
        "dangling.png": "file_missing",
        "f.png": "not_an_image",
        "folder": "link_not_followed",
        "h.dat": "archive_not_read",
        "i.tar.gz": "archive_not_read",
        "loop": "file_missing",
        "out.png": "path_outside",
        "pipe.png": "file_kind",
    }


@pytest.mark.parametrize("name", ["metadata.csv", "metadata.jsonl", "metadata.parquet"])
def test_splits_of_an_imagefolder_have_metadata_of_their_own(workspace: Workspace, tmp_path: Path, name: str) -> None:
    for split in ("train", "test"):
        write(tmp_path / "in", {f"{split}/a.png": png(len(split))})
        if name.endswith(".parquet"):
            write_parquet(tmp_path / "in" / split / name, [{"file_name": "a.png", "license": "MIT"}])
        else:
            text = "File Name;Licence\na.png;MIT\n" if name.endswith(".csv") else '{"file_name": "a.png", "license": "MIT"}\n'
            (tmp_path / "in" / split / name).write_text(text, encoding="utf-8")
    assert opened(tmp_path / "in").kind == "imagefolder"
    path = zipped(tmp_path / "in", tmp_path / "in.zip")
    assert add(workspace, tmp_path / "in").created == 2
    assert (opened(path).kind, add(workspace, path).known) == ("imagefolder", 2)


def test_every_file_that_no_row_names_has_a_line(workspace: Workspace, tmp_path: Path) -> None:
    folder = imagefolder(tmp_path / "in", 2)
    write(folder, {"images/extra.jfif": encode(picture(5), "JPEG"), "LICENSE": b"words", "more.zip": b"PK\x03\x04"})
    result = add(workspace, folder)
    assert (result.created, result.no_pictures) == (2, 1)
    assert refusals(result) == {"images/extra.jfif": "file_not_named", "more.zip": "archive_not_read"}
    assert result.codes == {"file_not_named": 1, "archive_not_read": 1}
    keys = [row.key for row in opened(folder).rows()]
    for skip in range(len(keys) + 1):
        assert [row.key for row in opened(folder).rows(skip)] == keys[skip:]


def test_a_hostile_zip_loses_no_other_member(workspace: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "in.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", png(1))
        archive.writestr("../b.png", png(2))
        archive.writestr("/etc/c.png", png(3))
        link = zipfile.ZipInfo("d.png")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("bomb.png", png(4) + bytes(2**22))
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.png", png(5))
    result = add(workspace, path, licence="MIT")
    assert result.created == 1
    assert {bad.key: bad.error.code for bad in result.bad} == {
        "../b.png": "path_outside",
        "/etc/c.png": "path_outside",
        "d.png": "member_kind",
        "bomb.png": "image_too_large",
        "a.png": "row_invalid",
    }
    path.write_bytes(b"PK\x03\x04 cut")
    with pytest.raises(InputError):
        opened(path)


def test_a_folder_without_pictures_is_unclear(tmp_path: Path) -> None:
    write(tmp_path / "in", {"words.txt": b"words"})
    with pytest.raises(InputError):
        opened(tmp_path / "in")


def test_a_bad_description_is_an_error_of_its_picture(workspace: Workspace, tmp_path: Path) -> None:
    folder = write(tmp_path / "in", {"a.png": png(1), "a.json": b"[]", "b.png": png(2), "b.json": b'{"license": "MIT"}'})
    result = add(workspace, folder)
    assert (result.created, [(bad.key, bad.error.code) for bad in result.bad]) == (1, [("a.png", "row_invalid")])
    assert all(isinstance(row, BadRow) or row.key == "b.png" for row in opened(folder).rows())
