"""Columns of a row: spellings, owners, placeholders, licences, cells that do not fit, and what a downloader says."""

import json
from typing import Any

import pytest

from services.ingest.sources.columns import NOTES, accept_download, build_registration, build_row
from services.ingest.sources.source import SourceOptions
from shared.canonical import sha256_hex
from shared.errors import InputError

OPTIONS = SourceOptions("works", "Ada", 1000, licence="CC0-1.0")


def test_spellings_are_understood_and_the_rest_is_kept() -> None:
    columns = {"Caption": "no", "text": "A work", "author": "Olga", "license": "CC0-1.0", "url": "https://example.org/a"}
    record, digest = build_registration(columns, "a.png", "works", "Ada")
    assert (record.title, record.licence, digest) == ("A work", "CC0-1.0", None)
    assert [(owner.name, owner.role) for owner in record.owners] == [("Olga", "creator")]
    assert record.archival_link is not None
    assert record.extra == {"Caption": "no"}


def test_creator_and_holder_are_two_owners_unless_they_are_one() -> None:
    columns = {"licence": "CC0-1.0", "creator": "Olga", "rights_holder": "An agency"}
    two, _ = build_registration(columns, "a", "works", "Ada")
    single, _ = build_registration(columns | {"rights_holder": "Olga"}, "a", "works", "Ada")
    assert [owner.role for owner in two.owners] == ["creator", "rightsholder"]
    assert [owner.role for owner in single.owners] == ["creator"]


def test_the_licence_of_the_run_stands_in_where_a_row_has_none() -> None:
    assert build_registration({}, "a", "works", "Ada", "CC0-1.0")[0].licence == "CC0-1.0"
    assert build_registration({"License": "MIT"}, "a", "works", "Ada", "CC0-1.0")[0].licence == "MIT"
    with pytest.raises(InputError) as caught:
        build_registration({}, "a", "works", "Ada")
    assert caught.value.code == "licence_missing"


@pytest.mark.parametrize(
    ("columns", "data", "code"),
    [
        ({"sha256": "0" * 64}, b"x", "sha256_differs"),
        ({}, b"x" * 1001, "image_too_large"),
        ({"License": "mine"}, b"x", "licence_not_spdx"),
    ],
)
def test_a_row_that_cannot_be_accepted_says_why(columns: dict[str, str], data: bytes, code: str) -> None:
    with pytest.raises(InputError) as caught:
        build_row(columns, "a", OPTIONS, data)
    assert caught.value.code == code


def test_a_digest_is_met_in_any_case() -> None:
    assert build_row({"sha256": sha256_hex(b"x").upper()}, "a", OPTIONS, b"x").data == b"x"


def test_a_download_is_taken_as_its_downloader_says() -> None:
    assert accept_download({"status": "success", "original_width": 9, "sha256": "f"})["original_sha256"] == "f"
    with pytest.raises(InputError):
        accept_download({"status": "failed_to_download", "error_message": "404"})


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
