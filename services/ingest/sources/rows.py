"""What every bulk source yields: rows, good or bad, and how a row's columns become a registration.

Rules, in order:

1. A column is understood by its name, in the spellings that published data sets use; what is not understood is kept
   under `extra`, so that nothing of the source is lost.
2. The creator's column is a presumed owner on the basis "dataset metadata"; an empty one is a search that found nothing.
   Both are recorded as diligence.
3. A row with anything wrong is an error of that row alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from services.ingest.registration.schemas import Registration
from shared.clock import timestamp, utc_now
from shared.errors import InputError, SleeveError

# Spellings seen in Hugging Face imagefolder metadata, img2dataset output and museum exports.
COLUMNS: dict[str, tuple[str, ...]] = {
    "title": ("title", "caption", "text"),
    "licence": ("licence", "license"),
    "licence_url": ("licence_url", "license_url"),
    "source_url": ("source_url", "url", "original_url"),
    "snapshot_url": ("snapshot_url", "archive_url"),
    "version_date": ("version_date", "snapshot_date"),
    "creator": ("creator", "author", "artist", "photographer"),
    "creator_url": ("creator_url", "author_url", "artist_url"),
    "creator_role": ("creator_role",),
    "acquired_from": ("acquired_from",),
    "acquired_at": ("acquired_at",),
    "sha256": ("sha256",),
}
# A name found in a column of the data set: likely right, checked by nobody.
METADATA_CONFIDENCE = 0.7


@dataclass(frozen=True)
class Row:
    """One image of a source: where it stands in the source, its record, its bytes."""

    key: str
    registration: Registration
    data: bytes


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be registered, and why."""

    key: str
    error: SleeveError


def build_registration(columns: Mapping[str, Any], key: str, dataset: str, acquirer: str) -> tuple[Registration, str | None]:
    """Turn a row's columns into a registration.

    Args:
        columns: the row as read, without the column that names the file.
        key: the item's name in its source.
        dataset: which data set the item belongs to.
        acquirer: who is responsible for obtaining it.

    Returns:
        The registration, and the SHA-256 that the row expects of the bytes, if it states one.

    Raises:
        InputError: a column's value cannot be accepted, or the licence is missing.
    """
    known, extra = _split_columns(columns)
    if not known.get("licence"):
        raise InputError("row has no licence; expected a column licence or license", code="licence_missing")
    record = {
        "dataset": dataset,
        "source_key": key,
        "acquirer": acquirer,
        "extra": extra,
        "archival_link": _archival_link(known),
        **_owner_and_search(known),
        **{name: known.get(name) for name in ("title", "licence", "licence_url", "acquired_from", "acquired_at")},
    }
    try:
        return Registration.model_validate(record), known.get("sha256")
    except ValidationError as error:
        found = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise InputError(f"row does not fit: {found}", code="row_invalid") from error


def _split_columns(columns: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    filled = {name: value for name, value in columns.items() if value not in (None, "")}
    known: dict[str, Any] = {}
    used: set[str] = set()
    for meaning, spellings in COLUMNS.items():
        spelling = next((name for name in spellings if name in filled), None)
        if spelling is not None:
            known[meaning] = filled[spelling]
            used.add(spelling)
    return known, {name: value for name, value in filled.items() if name not in used}


def _archival_link(known: Mapping[str, Any]) -> dict[str, Any] | None:
    if not known.get("source_url"):
        return None
    return {
        "original_url": known["source_url"],
        "snapshot_url": known.get("snapshot_url"),
        "version_date": known.get("version_date"),
    }


def _owner_and_search(known: Mapping[str, Any]) -> dict[str, Any]:
    creator = known.get("creator")
    search = {
        "source": "dataset metadata",
        "searched_at": timestamp(utc_now()),
        "result": "creator named" if creator else "no creator named",
    }
    if not creator:
        return {"owners": [], "diligence": [search]}
    owner = {
        "name": creator,
        "url": known.get("creator_url"),
        "role": known.get("creator_role", "creator"),
        "basis": "dataset metadata",
        "confidence": METADATA_CONFIDENCE,
    }
    return {"owners": [owner], "diligence": [search]}
