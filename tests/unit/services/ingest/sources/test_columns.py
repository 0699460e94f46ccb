"""Columns of a row: spellings, owners, licences, and what a downloader says."""

import pytest

from services.ingest.sources.columns import accept_download, build_registration, build_row
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
