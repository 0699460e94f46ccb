"""One reading of columns for every source: capitals, placeholders, labels, and cells that do not fit."""

import base64
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlmodel import select

from services.ingest.bulk.rows import Row
from services.ingest.coverage import measure_coverage
from services.ingest.sources.columns import NOTES, build_registration
from shared.errors import InputError
from shared.records.items import Item
from shared.workspace import Workspace
from tests.support.factories import png
from tests.unit.services.ingest.small_sources import add, opened, sample, write_parquet, write_tar


def read(**columns: Any) -> Any:
    """The registration of a row of these columns under the run's CC0."""
    return build_registration(columns, "a.png", "works", "Ada", "CC0-1.0")[0]


@pytest.mark.parametrize(
    "style", [str.upper, str.title, lambda name: name.replace("_", " "), lambda name: name.replace("_", "-")]
)
def test_a_columns_name_is_read_in_any_style(style: Any) -> None:
    columns = {"title": "A cat", "creator": "Ada Example", "license": "CC-BY-4.0", "source_url": "https://example.org/cat"}
    record = read(**{style(name): value for name, value in columns.items()})
    assert (record.title, record.owners[0].name, record.licence) == ("A cat", "Ada Example", "CC-BY-4.0")
    assert record.archival_link.original_url == "https://example.org/cat"
    assert record.extra == {}


@pytest.mark.parametrize(
    "name",
    ["Unknown", "ANONYMOUS", "nan", "N/A", "none", "null", "-", "?", "various", " ", "Unbekannt", "Auteur inconnu", "佚名"],
)
def test_a_placeholder_is_nobody_and_stays_on_record(name: str) -> None:
    record = read(artist=name)
    assert record.owners == ()
    assert record.diligence[0].result == "no creator named"
    assert record.extra["artist"] == name
    assert record.extra[NOTES]["artist"] in {"names nobody", "holds no value"}


def test_a_name_behind_a_placeholder_counts() -> None:
    assert [owner.name for owner in read(artist="Unknown", photographer="Anna").owners] == ["Anna"]
    assert [owner.name for owner in read(creator=["Anna", "anonymous", "Bert"]).owners] == ["Anna", "Bert"]
    owner = read(author={"name": "Anna", "url": "https://a.example"}).owners[0]
    assert (owner.name, owner.url) == ("Anna", "https://a.example")
    for number in (0, 5, float("nan"), True):
        assert read(artist=number).owners == ()


@pytest.mark.parametrize(
    ("columns", "noted"),
    [
        ({"caption": "word " * 1000}, "caption"),
        ({"caption": ["one", "two"]}, "caption"),
        ({"caption": "bad\0caption"}, "caption"),
        ({"caption": "\ud83d half"}, "caption"),
        ({"caption": {"en": "a"}}, "caption"),
        ({"url": "s3://bucket/a.png"}, "url"),
        ({"url": "gs://bucket/a.png"}, "url"),
        ({"url": "data:image/png;base64,AAAA"}, "url"),
        ({"url": "www.example.org/a.png"}, "url"),
        ({"url": "https://example.org/my photo.png"}, "url"),
        ({"url": "https://example.org/" + "a" * 3000}, "url"),
        ({"url": 7}, "url"),
        ({"creator": "A", "creator_url": "@anna"}, "creator_url"),
        ({"creator": "A", "creator_role": "painter"}, "creator_role"),
        ({"creator": "A" * 3000}, "creator"),
        ({"acquired_at": "2021-05-01 10:00:00"}, "acquired_at"),
        ({"url": "https://example.org/a", "version_date": "2021"}, "version_date"),
        ({"sha256": "abc"}, "sha256"),
        ({"exif": "a\0b"}, "exif"),
        ({"license": "unknown"}, "license"),
        ({"deep": json.loads("[" * 50 + "]" * 50)}, "deep"),
        ({"blob": "x" * (2**20 + 1)}, "blob"),
    ],
)
def test_a_cell_that_does_not_fit_is_kept_with_a_note(columns: dict[str, Any], noted: str) -> None:
    record = read(**columns)
    assert set(record.extra[NOTES]) == {noted}
    assert noted in record.extra


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (4865782901354085936, "4865782901354085936"),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        (b"abc", "base64:YWJj"),
        ({"a": [1, {"b": 2**63}]}, {"a": [1, {"b": str(2**63)}]}),
    ],
)
def test_what_json_has_no_word_for_is_spelled_as_text(value: Any, kept: Any) -> None:
    assert read(hash=value).extra == {"hash": kept}


def test_numbers_and_times_are_read_where_they_fit() -> None:
    record = read(caption=5912, url="https://example.org/a", snapshot_date="2021-05-01T00:00:00Z")
    assert (record.title, str(record.archival_link.version_date)) == ("5912", "2021-05-01")


@pytest.mark.parametrize(
    ("columns", "licence"),
    [
        ({"license": "CC BY-SA 2.0"}, "CC-BY-SA-2.0"),
        ({"license": "https://creativecommons.org/licenses/by/2.0/"}, "CC-BY-2.0"),
        ({"License": "MIT"}, "MIT"),
        ({"license": ["MIT"]}, "MIT"),
        ({"license_url": "https://creativecommons.org/licenses/by/4.0/"}, "CC-BY-4.0"),
        ({"license": "unknown"}, "CC0-1.0"),
        ({"license": None}, "CC0-1.0"),
    ],
)
def test_a_rows_licence_goes_before_that_of_the_run(columns: dict[str, Any], licence: str) -> None:
    assert read(**columns).licence == licence


@pytest.mark.parametrize("licence", ["All rights reserved", "LicenseRef-CC BY-SA 2.0", 4])
def test_a_refused_licence_names_its_column_and_the_cure(licence: Any) -> None:
    with pytest.raises(InputError, match=r"column License: .* write \S+ if") as caught:
        read(License=licence)
    assert caught.value.code == "licence_not_spdx"


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


def test_placeholders_do_not_raise_coverage(workspace: Workspace, tmp_path: Path) -> None:
    rows = [
        {"png": png(n), "key": f"{n}", "license": "MIT", "artist": name} for n, name in enumerate(["Unknown", "n/a", "Ada"])
    ]
    assert add(workspace, write_parquet(tmp_path / "in.parquet", rows)).created == 3
    with workspace.reading() as session:
        [coverage] = measure_coverage(session)
    assert coverage.owner == 1


def test_class_labels_are_names(workspace: Workspace, tmp_path: Path) -> None:
    rows = [{"image": {"bytes": png(n), "path": f"{n}.png"}, "artist": n - 1, "style": 0} for n in range(3)]
    features = {
        "image": {"_type": "Image"},
        "artist": {"names": ["Ada", "unknown"], "_type": "ClassLabel"},
        "style": {"names": ["ink"], "_type": "ClassLabel"},
    }
    info = json.dumps({"info": {"features": features}}).encode()
    table = pa.Table.from_pylist(rows).replace_schema_metadata({"huggingface": info})
    pq.write_table(table, tmp_path / "in.parquet")
    assert add(workspace, tmp_path / "in.parquet", licence="MIT").created == 3
    with workspace.reading() as session:
        items = session.exec(select(Item).order_by(Item.source_key)).all()
        [coverage] = measure_coverage(session)
    assert coverage.owner == 1
    assert [item.extra["style"] for item in items] == ["ink"] * 3


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


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_a_csv_is_told_by_its_content(tmp_path: Path, encoding: str, delimiter: str) -> None:
    (tmp_path / "a.png").write_bytes(png(1))
    lines = [["File Name", "Artist", "Licence"], ["a.png", "Zoë Müller", "MIT"], ["a.png", '"' + "x" * 200_000 + '"', "MIT"]]
    (tmp_path / "metadata.csv").write_bytes("\r\n".join(map(delimiter.join, lines)).encode(encoding))
    first, second = opened(tmp_path).rows()
    assert isinstance(first, Row)
    assert isinstance(second, Row)
    assert [owner.name for owner in first.registration.owners] == ["Zoë Müller"]
    assert second.registration.owners == ()


def test_a_quote_that_is_never_closed_swallows_no_row(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.png").write_bytes(png(ord(name)))
    (tmp_path / "metadata.csv").write_text('file_name,text,license\na.png,"5 in,MIT\nb.png,"two\nlines",MIT\nc.png,"x,MIT')
    assert [row.key for row in opened(tmp_path, licence="MIT").rows() if isinstance(row, Row)] == ["a.png", "b.png", "c.png"]


def test_json_lines_are_read_by_the_same_rules(tmp_path: Path) -> None:
    line = {
        "source_key": "a",
        "licence": "MIT",
        "image": base64.b64encode(png(1)).decode(),
        "extra": {"hash": 2**63, "pwatermark": float("nan")},
        "owners": [{"name": "Unknown", "basis": "x", "confidence": 0.5}],
    }
    (tmp_path / "in.jsonl").write_text(json.dumps(line))
    [row] = opened(tmp_path / "in.jsonl").rows()
    assert isinstance(row, Row)
    assert row.registration.owners == ()
    assert (row.registration.extra["hash"], row.registration.extra["pwatermark"]) == (str(2**63), "nan")
