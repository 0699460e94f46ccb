"""WebDataset tars: every sample met once, captions and statuses honoured, damage and tricks named, nothing extracted."""

import tarfile
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from services.ingest.bulk.rows import BadRow
from services.ingest.sources.kinds.webdataset import split_member_name
from shared.errors import InputError
from shared.records.items import Item
from shared.workspace import Workspace
from tests.support.factories import encode, picture, png
from tests.unit.services.ingest.small_sources import (
    add,
    keys_of,
    opened,
    refusals,
    sample,
    write_tar,
)


def test_samples_are_registered_and_a_second_run_adds_nothing(any_workspace: Workspace, tmp_path: Path) -> None:
    path = write_tar(tmp_path / "in.tar", [member for n in range(7) for member in sample(f"{n:05d}", n)])
    first, second = add(any_workspace, path), add(any_workspace, path)
    assert (first.created, first.known, first.bad) == (7, 0, [])
    assert (second.created, second.known, second.bad) == (0, 7, [])
    assert opened(path).count() == 7
    with any_workspace.reading() as session:
        items = session.exec(select(Item).order_by(Item.source_key)).all()
    assert [item.source_key for item in items] == [f"{n:05d}" for n in range(7)]
    assert items[3].source_url == "https://example.org/works/3"


def test_the_tars_of_a_folder_are_one_source_and_rows_can_be_skipped(tmp_path: Path) -> None:
    for shard in range(3):
        numbers = range(shard * 4, shard * 4 + 4)
        write_tar(tmp_path / f"{shard:05d}.tar", [member for n in numbers for member in sample(f"{n:05d}", n)])
    source = opened(tmp_path)
    assert (source.kind, source.count()) == ("webdataset", 12)
    for skip in (0, 3, 4, 9, 12):
        assert [row.key for row in source.rows(skip)] == [f"{n:05d}" for n in range(skip, 12)]


def test_captions_jpeg_webp_and_folders_are_understood(workspace: Workspace, tmp_path: Path) -> None:
    [_, record] = sample("b/1", 1, title=None)
    members = [("./b/1.JPG", encode(picture(1), "JPEG")), record, ("b/1.txt", b"A caption")]
    members += [("b/2.webp", encode(picture(2), "WEBP")), sample("b/2", 2)[1]]
    assert refusals(add(workspace, write_tar(tmp_path / "in.tar", members))) == {}
    with workspace.reading() as session:
        items = session.exec(select(Item).order_by(Item.source_key)).all()
    assert [(item.source_key, item.title) for item in items] == [("b/1", "A caption"), ("b/2", "Work 2")]


def test_bad_samples_are_named_and_the_good_ones_kept(workspace: Workspace, tmp_path: Path) -> None:
    link = tarfile.TarInfo("link.png")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    failed = [("failed.json", b'{"status": "failed_to_download", "error_message": "HTTP Error 404: Not Found"}')]
    members = [
        *sample("good", 1),
        *failed,
        *sample("unlicensed", 2, licence=None),
        ("alone.json", sample("alone", 3)[1][1]),
        ("bare.png", png(4)),
        ("link.png", link),
        ("words.png", b"words"),
        ("words.json", sample("words", 5)[1][1]),
        ("short.png", png(6)[:150]),
        ("short.json", sample("short", 6)[1][1]),
        ("broken.png", png(7)),
        ("broken.json", b"{broken"),
        ("list.png", png(7)),
        ("list.json", b"[1]"),
        *sample("../outside", 8),
        *sample("/rooted", 9),
        *sample("digest", 10, sha256="0" * 64),
        ("large.png", bytes(2**20 + 1)),
        ("large.json", sample("large", 11)[1][1]),
        *sample("twice", 12),
        *sample("twice", 13),
        *sample("last", 14),
    ]
    result = add(workspace, write_tar(tmp_path / "in.tar", members))
    assert result.created == 2
    assert refusals(result) == {
        "failed": "download_failed",
        "unlicensed": "licence_missing",
        "alone": "image_missing",
        "bare": "licence_missing",
        "link": "member_kind",
        "words": "not_an_image",
        "short": "image_damaged",
        "broken": "row_invalid",
        "list": "row_invalid",
        "../outside": "path_outside",
        "/rooted": "path_outside",
        "digest": "sha256_differs",
        "large": "image_too_large",
        "twice": "row_invalid",
    }
    assert "HTTP Error 404" in result.bad[0].error.message
    assert not (tmp_path.parent / "outside.png").exists()


def test_the_digest_of_a_resized_download_is_kept_and_not_compared(workspace: Workspace, tmp_path: Path) -> None:
    members = sample("one", 1, sha256="0" * 64, original_width=640, original_height=480)
    assert add(workspace, write_tar(tmp_path / "in.tar", members)).created == 1
    with workspace.reading() as session:
        assert session.exec(select(Item)).one().extra["original_sha256"] == "0" * 64


def test_a_tar_that_ends_early_or_is_damaged_says_so(workspace: Workspace, tmp_path: Path) -> None:
    whole = write_tar(tmp_path / "whole.tar", [member for n in range(5) for member in sample(f"{n}", n)]).read_bytes()
    with tarfile.open(tmp_path / "whole.tar") as tar:
        starts = [member.offset for member in tar.getmembers()]
        inside = tar.getmembers()[6].offset_data + 10
    damaged = {
        "member": (whole[:inside], 3),
        "boundary": (whole[: starts[6]], 3),
        "header": (whole[: starts[6] + 100], 3),
        "overwritten": (whole[: starts[6]] + b"\xff" * 512 + whole[starts[6] + 512 :], 3),
    }
    for name, (data, good) in damaged.items():
        (tmp_path / f"{name}.tar").write_bytes(data)
        rows = list(opened(tmp_path / f"{name}.tar", dataset=name).rows())
        bad = [row for row in rows if isinstance(row, BadRow)]
        assert len(rows) - len(bad) == good, name
        assert "source_damaged" in {row.error.code for row in bad}, name


@pytest.mark.parametrize("data", [b"", b"words" * 200, b"\x1f\x8b" + bytes(600)])
def test_what_is_no_tar_is_refused_as_a_whole(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "in.tar").write_bytes(data)
    with pytest.raises(InputError) as caught:
        list(opened(tmp_path / "in.tar").rows())
    assert caught.value.code == "source_damaged"


def test_a_member_of_negative_size_does_not_lead_back(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "in.tar", [*sample("0", 0), *sample("1", 1)])
    data = bytearray(path.read_bytes())
    with tarfile.open(path) as tar:
        member = tar.getmembers()[2]
    header = bytearray(data[member.offset : member.offset + 512])
    # GNU tar's binary spelling of a negative number, and the checksum to go with it.
    header[124:136] = b"\xff" * 10 + (-2048).to_bytes(2, "big", signed=True)
    header[148:156] = b" " * 8
    header[148:156] = f"{sum(header):06o}\0 ".encode()
    data[member.offset : member.offset + 512] = header
    path.write_bytes(data)
    rows = list(opened(path).rows())
    assert [isinstance(row, BadRow) for row in rows] == [False, True]


@pytest.mark.parametrize(
    ("name", "expected"),
    [("000.png", ("000", "png")), ("./a.b/c.d.JSON", ("a.b/c", "d.json")), ("bare", ("bare", "")), (".png", ("", "png"))],
)
def test_member_names_are_split_at_the_first_dot_of_the_file(name: str, expected: tuple[str, str]) -> None:
    assert split_member_name(name) == expected


def test_a_tar_with_the_columns_of_laion_loses_no_row(workspace: Workspace, tmp_path: Path) -> None:
    odd: list[dict[str, Any]] = [
        {"hash": 2**62},
        {"pwatermark": float("nan")},
        {"caption": ["a", "b"]},
        {"url": "s3://b/a"},
        {"exif": "a\0b"},
    ]
    members = [member for number, more in enumerate(odd) for member in sample(f"{number}", number, **more)]
    result = add(workspace, write_tar(tmp_path / "in.tar", members))
    assert (result.created, result.bad) == (len(odd), [])


def test_every_picture_of_a_sample_is_an_item(workspace: Workspace, tmp_path: Path) -> None:
    members = [*sample("0", 0), ("0.seg.png", png(1)), ("0.cls", b"3"), ("1.jfif", png(2)), ("2.left.png", png(3))]
    path = write_tar(tmp_path / "in.tar", members)
    assert add(workspace, path, licence="MIT").created == 4
    assert keys_of(workspace) == ["0", "0.seg.png", "1", "2"]
    keys = [row.key for row in opened(path, licence="MIT").rows()]
    for skip in range(5):
        assert [row.key for row in opened(path, licence="MIT").rows(skip)] == keys[skip:]
