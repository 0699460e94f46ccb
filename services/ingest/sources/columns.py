"""How the columns of a source's row become a registration.

Rules, in order:

1. A column is understood by its name, in the spellings that published data sets use; what is not understood is kept
   under `extra`, so that nothing of the source is lost.
2. The creator's and the rights holder's columns are presumed owners on the basis "dataset metadata"; empty ones are a search
   that found nothing. Both are recorded as diligence.
3. A row with anything wrong is an error of that row alone.
"""

from collections.abc import Mapping
from typing import Any

from services.ingest.bulk.rows import Row, check_sha256, validate_registration
from services.ingest.items.schemas import Registration
from services.ingest.sources.source import SourceOptions
from shared.clock import timestamp, utc_now
from shared.errors import InputError

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
    "rights_holder": ("rights_holder", "rightsholder", "copyright_holder"),
    "acquired_from": ("acquired_from",),
    "acquired_at": ("acquired_at",),
    "sha256": ("sha256",),
}
# A name found in a column of the data set: likely right, checked by nobody.
METADATA_CONFIDENCE = 0.7


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
        raise InputError(
            "row has no licence; expected a column licence or license, or one for all of them (--licence)",
            code="licence_missing",
        )
    record = {
        "dataset": dataset,
        "source_key": key,
        "acquirer": acquirer,
        "extra": extra,
        "archival_link": _archival_link(known),
        **_owner_and_search(known),
        **{name: known.get(name) for name in ("title", "licence", "licence_url", "acquired_from", "acquired_at")},
    }
    return validate_registration(record), known.get("sha256")


def build_row(columns: Mapping[str, Any], key: str, options: SourceOptions, data: bytes) -> Row:
    """Turn a row's columns and bytes into a row to register.

    Args:
        columns: the row as read, without the image; where they state a SHA-256, the bytes must have it.
        key: the item's name in its source.
        options: data set, acquirer, licence of rows that state none.
        data: the encoded image.

    Raises:
        InputError: a column's value cannot be accepted, or the bytes are too many or have another SHA-256.
    """
    registration, expected = build_registration(with_licence(columns, options), key, options.dataset, options.acquirer)
    if len(data) > options.max_bytes:
        raise InputError(
            f"image file too large: expected at most {options.max_bytes:,} bytes, got more", code="image_too_large"
        )
    if expected is not None:
        check_sha256(data, expected)
    return Row(key, registration, data)


def with_licence(columns: Mapping[str, Any], options: SourceOptions) -> Mapping[str, Any]:
    """Return the columns with the licence of the options where they have none."""
    if options.licence is None or any(columns.get(name) for name in COLUMNS["licence"]):
        return columns
    return {**columns, "licence": options.licence}


def accept_download(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Honour what img2dataset says of a row that it downloaded.

    Args:
        columns: the row as read.

    Returns:
        The columns; where the image was resized, `sha256` is that of the original file, not of the bytes at hand, and
        becomes `original_sha256`, which nothing is compared with.

    Raises:
        InputError: the status is other than success; the message has the downloader's own.

    Source: img2dataset's README (https://github.com/rom1504/img2dataset), "File structure" for status, error_message and
    original_width, "API" for `compute_hash`, the hash of the raw image.
    """
    status = columns.get("status")
    if status not in {None, "", "success"}:
        reason = columns.get("error_message") or "no error message"
        raise InputError(f"expected a row with status success, got {status}: {reason}", code="download_failed")
    if columns.get("original_width") and columns.get("sha256"):
        return {("original_sha256" if name == "sha256" else name): value for name, value in columns.items()}
    return dict(columns)


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
    creator, holder = known.get("creator"), known.get("rights_holder")
    search = {
        "source": "dataset metadata",
        "searched_at": timestamp(utc_now()),
        "result": "creator named" if creator else "rights holder named" if holder else "no creator named",
    }
    owners = []
    if creator:
        owners.append({"name": creator, "url": known.get("creator_url"), "role": known.get("creator_role", "creator")})
    if holder and holder != creator:
        owners.append({"name": holder, "role": "rightsholder"})
    presumed_owners = [{**owner, "basis": "dataset metadata", "confidence": METADATA_CONFIDENCE} for owner in owners]
    return {"owners": presumed_owners, "diligence": [search]}
