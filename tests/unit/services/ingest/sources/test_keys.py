"""Keys never collide: shards and rows that use one name are told apart, and what was registered before stays known."""

from pathlib import Path
from typing import Any

from sqlmodel import select

from services.ingest.bulk.pipeline import BulkResult, register_rows
from services.ingest.bulk.rows import Row
from services.ingest.sources.cells import to_json
from services.ingest.sources.earlier_columns import build_registration
from shared.records.items import Item
from shared.workspace import Workspace
from tests.support.factories import png
from tests.unit.services.ingest.small_sources import add, columns, opened, options, sample, write_parquet, write_tar


def keys_of(workspace: Workspace) -> list[str]:
    with workspace.reading() as session:
        return sorted(item.source_key for item in session.exec(select(Item)))


def register_as_before(workspace: Workspace, rows: list[tuple[str, dict[str, Any], bytes]]) -> BulkResult:
    """Register rows as the first reading did: by their bare keys, names letter by letter."""
    before = (
        Row(key, build_registration({name: to_json(value) for name, value in row.items()}, key, options(licence="MIT")), data)
        for key, row, data in rows
    )
    return register_rows(workspace, before)


def test_tars_of_a_folder_may_reuse_keys(any_workspace: Workspace, tmp_path: Path) -> None:
    write_tar(tmp_path / "a.tar", [*sample("0", 0), *sample("1", 1)])
    write_tar(tmp_path / "b.tar", [*sample("0", 2), *sample("2", 3)])
    first, second = add(any_workspace, tmp_path), add(any_workspace, tmp_path)
    assert (first.created, first.bad, second.created, second.known) == (4, [], 0, 4)
    assert keys_of(any_workspace) == ["1", "2", "a/0", "b/0"]


def test_the_same_picture_under_one_key_with_another_record_is_another_item(workspace: Workspace, tmp_path: Path) -> None:
    write_tar(tmp_path / "a.tar", sample("0", 0, title="A"))
    write_tar(tmp_path / "b.tar", sample("0", 0, title="B"))
    assert (add(workspace, tmp_path).created, add(workspace, tmp_path).known) == (2, 2)


def test_tars_added_one_by_one_may_reuse_keys(workspace: Workspace, tmp_path: Path) -> None:
    paths = [write_tar(tmp_path / f"{name}.tar", sample("0", number)) for number, name in enumerate("ab")]
    assert [add(workspace, path).created for path in paths] == [1, 1]
    assert [add(workspace, path).known for path in paths] == [1, 1]
    assert keys_of(workspace) == ["0", "b/0"]


def test_another_record_under_a_key_is_a_conflict_as_before(workspace: Workspace, tmp_path: Path) -> None:
    assert add(workspace, write_tar(tmp_path / "a.tar", sample("0", 0))).created == 1
    result = add(workspace, write_tar(tmp_path / "a.tar", sample("0", 0, title="another")))
    assert [bad.error.code for bad in result.bad] == ["item_record_differs"]


def test_what_was_registered_under_bare_keys_stays_known(workspace: Workspace, tmp_path: Path) -> None:
    before = register_as_before(workspace, [("0", columns(0) | {"key": "0", "status": "success"}, png(0))])
    assert before.created == 1
    (tmp_path / "in").mkdir()
    write_tar(tmp_path / "in" / "a.tar", sample("0", 0))
    write_tar(tmp_path / "in" / "b.tar", sample("0", 1))
    result = add(workspace, tmp_path / "in")
    assert (result.known, result.created, result.bad) == (1, 1, [])
    assert keys_of(workspace) == ["0", "b/0"]
    assert add(workspace, tmp_path / "in").known == 2


def test_what_an_earlier_reading_registered_stays_known(workspace: Workspace, tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"Title": "A", "artist": "Unknown", "license": "CC0-1.0", "hash": 2**62},
        {"caption": "B", "creator": "Ada", "url": "https://example.org/b"},
    ]
    before = register_as_before(workspace, [(f"{n}.png", row, png(n)) for n, row in enumerate(rows)])
    assert before.created == 2
    table = [{"image": {"bytes": png(n), "path": f"{n}.png"}, **row} for n, row in enumerate(rows)]
    result = add(workspace, write_parquet(tmp_path / "in.parquet", table), licence="MIT")
    assert (result.known, result.created, result.bad) == (2, 0, [])


def test_rows_of_parquet_may_share_the_name_of_their_file(any_workspace: Workspace, tmp_path: Path) -> None:
    for split, start in (("train", 0), ("test", 4)):
        # The library keeps the last part of a path only: cat/0.png and dog/0.png are both 0.png.
        rows = [{"image": {"bytes": png(start + n), "path": f"{n % 2}.png"}, **columns(n)} for n in range(4)]
        (tmp_path / "in" / "data").mkdir(parents=True, exist_ok=True)
        write_parquet(tmp_path / "in" / "data" / f"{split}-00000-of-00001.parquet", rows)
    (tmp_path / "in" / "README.md").write_text("# words", encoding="utf-8")
    source = opened(tmp_path / "in")
    assert (source.kind, source.count()) == ("parquet", 8)
    first, second = add(any_workspace, tmp_path / "in"), add(any_workspace, tmp_path / "in")
    assert (first.created, first.no_pictures, first.bad, second.created, second.known) == (8, 1, [], 0, 8)
    assert "data/test-00000-of-00001/3/1.png" in keys_of(any_workspace)


def test_lists_of_images_give_an_item_each(workspace: Workspace, tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"key": f"k{n}", "images": [{"bytes": png(3 * n + i), "path": None} for i in range(n)], **columns(n)} for n in range(3)
    ]
    path = write_parquet(tmp_path / "in.parquet", rows)
    result = add(workspace, path)
    assert (result.created, [bad.error.code for bad in result.bad]) == (3, ["image_missing"])
    assert keys_of(workspace) == ["k1/0", "k2/0", "k2/1"]
    assert [row.key for row in opened(path).rows(2)] == ["k2/0", "k2/1"]


def test_further_names_of_image_columns_are_known(tmp_path: Path) -> None:
    for name in ("img", "Image", "photo", "gif", "pixel_values"):
        path = write_parquet(tmp_path / f"{name}.parquet", [{name: {"bytes": png(1), "path": "a.png"}, **columns(1)}])
        assert [row.key for row in opened(path).rows()] == ["a.png"]


def test_every_picture_of_a_sample_is_an_item(workspace: Workspace, tmp_path: Path) -> None:
    members = [*sample("0", 0), ("0.seg.png", png(1)), ("0.cls", b"3"), ("1.jfif", png(2)), ("2.left.png", png(3))]
    path = write_tar(tmp_path / "in.tar", members)
    assert add(workspace, path, licence="MIT").created == 4
    assert keys_of(workspace) == ["0", "0.seg.png", "1", "2"]
    keys = [row.key for row in opened(path, licence="MIT").rows()]
    for skip in range(5):
        assert [row.key for row in opened(path, licence="MIT").rows(skip)] == keys[skip:]
