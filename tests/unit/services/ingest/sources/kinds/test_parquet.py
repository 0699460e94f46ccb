"""Parquet: images in struct or binary columns, every other column kept, memory flat, damage named."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlmodel import select

from services.ingest.bulk.rows import Row
from services.ingest.sources.kinds.parquet import ROWS_AT_ONCE
from shared.errors import InputError
from shared.records.item_owners import load_owners
from shared.records.items import Item
from shared.workspace import Workspace
from tests.support.factories import png
from tests.unit.services.ingest.small_sources import (
    add,
    columns,
    huggingface_rows,
    keys_of,
    opened,
    refusals,
    write_parquet,
)


def test_rows_are_registered_and_a_second_run_adds_nothing(any_workspace: Workspace, tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "in.parquet", huggingface_rows(9))
    first, second = add(any_workspace, path), add(any_workspace, path)
    assert (first.created, second.known, first.bad, second.bad) == (9, 9, [], [])
    assert opened(path).count() == 9


def test_files_of_a_folder_are_one_source_and_rows_can_be_skipped(tmp_path: Path) -> None:
    rows = huggingface_rows(3 * ROWS_AT_ONCE // 2)
    write_parquet(tmp_path / "train-0.parquet", rows[:70], row_group_size=80)
    write_parquet(tmp_path / "train-1.parquet", rows[70:], row_group_size=10)
    source = opened(tmp_path)
    assert (source.kind, source.count()) == ("parquet", len(rows))
    for skip in (0, 5, 65, 70, 75, 80, 95, 96):
        assert [row.key for row in source.rows(skip)] == [row["image"]["path"] for row in rows[skip:]]


def test_every_column_is_kept_in_words_that_json_has(workspace: Workspace, tmp_path: Path) -> None:
    moment = datetime(2026, 1, 31, 12, tzinfo=UTC)
    extra = {"label": 3, "large": 2**60, "at": moment, "mask": b"abc", "odd": float("nan"), "tags": ["a", "b"]}
    row = {"png": png(1), "key": "k1", "rights_holder": "Holder", **columns(1), **extra}
    assert add(workspace, write_parquet(tmp_path / "in.parquet", [row])).bad == []
    with workspace.reading() as session:
        item = session.exec(select(Item)).one()
        owners = load_owners(session, [item.id])[item.id]
    assert item.source_key == "k1"
    assert item.extra == {
        "key": "k1",
        "label": 3,
        "large": str(2**60),
        "at": "2026-01-31T12:00:00+00:00",
        "mask": "base64:YWJj",
        "odd": "nan",
        "tags": ["a", "b"],
    }
    assert [(owner.role, party.name) for owner, party in owners] == [("creator", "Creator 1"), ("rightsholder", "Holder")]


def test_bad_rows_are_named_and_the_good_ones_kept(workspace: Workspace, tmp_path: Path) -> None:
    rows = [
        {"image": {"bytes": png(1), "path": None}, **columns(1)},
        {"image": {"bytes": None, "path": "elsewhere.png"}, **columns(2)},
        {"image": None, **columns(3)},
        {"image": {"bytes": png(4)[:100], "path": "short.png"}, **columns(4)},
        {"image": {"bytes": png(5), "path": "unlicensed.png"}, **columns(5, licence=None)},
        {"image": {"bytes": png(6), "path": "failed.png"}, "status": "failed_to_resize", **columns(6)},
    ]
    result = add(workspace, write_parquet(tmp_path / "in.parquet", rows))
    assert result.created == 1
    assert refusals(result) == {
        "elsewhere.png": "image_missing",
        "in.parquet, row 2": "image_missing",
        "short.png": "image_damaged",
        "unlicensed.png": "licence_missing",
        "failed.png": "download_failed",
    }


def test_a_file_without_images_or_without_sense_is_refused(tmp_path: Path) -> None:
    write_parquet(tmp_path / "words.parquet", [{"image": "a.png", **columns(1)}])
    (tmp_path / "none.parquet").write_bytes(b"PAR1 and nothing else")
    data = write_parquet(tmp_path / "cut.parquet", huggingface_rows(40), row_group_size=40).read_bytes()
    (tmp_path / "cut.parquet").write_bytes(data[:500] + bytes(2000) + data[2500:])
    codes = {}
    for name in ("words", "none", "cut"):
        with pytest.raises(InputError) as caught:
            list(opened(tmp_path / f"{name}.parquet").rows())
        codes[name] = caught.value.code
    assert codes == {"words": "image_column_missing", "none": "source_damaged", "cut": "source_damaged"}


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    # One row group of 48 MB, of which no more than a few batches may be in memory at once.
    noise = [bytes([number]) * 65536 for number in range(256)]
    rows = {"image": [noise[n % 256] + n.to_bytes(8) for n in range(768)], "licence": ["CC0-1.0"] * 768}
    pq.write_table(pa.table(rows), tmp_path / "in.parquet", compression="none", use_dictionary=False)
    pool = pa.default_memory_pool()
    before, most = pool.bytes_allocated(), 0
    for _ in opened(tmp_path / "in.parquet").rows():
        most = max(most, pool.bytes_allocated() - before)
    assert most < 24 * 2**20


def test_values_that_python_has_no_word_for_lose_no_row(tmp_path: Path) -> None:
    columns = {
        "image": pa.array([{"bytes": png(1), "path": "a.png"}]),
        "license": ["MIT"],
        "nanoseconds": pa.array([2**62 + 1], pa.timestamp("ns")),
        "far": pa.array([2**62], pa.timestamp("us")),
        "day": pa.array([10**9], pa.date32()),
        "large": pa.array([2**64 - 1], pa.uint64()),
    }
    pq.write_table(pa.table(columns), tmp_path / "in.parquet")
    [row] = opened(tmp_path / "in.parquet").rows()
    assert isinstance(row, Row)
    assert row.registration.extra["large"] == str(2**64 - 1)
    assert row.registration.extra["day"] == "1000000000 (date32[day])"


def test_lists_of_images_give_an_item_each(workspace: Workspace, tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"key": f"k{n}", "images": [{"bytes": png(3 * n + i), "path": None} for i in range(n)], **columns(n)} for n in range(3)
    ]
    path = write_parquet(tmp_path / "in.parquet", rows)
    result = add(workspace, path)
    assert (result.created, [bad.error.code for bad in result.bad]) == (3, ["image_missing"])
    assert keys_of(workspace) == ["k1/0", "k2/0", "k2/1"]
    assert [row.key for row in opened(path).rows(2)] == ["k2/0", "k2/1"]
