"""The first reading of columns, by which what was registered with it is found again.

Rules, in order:

1. Names are compared letter by letter, a filled cell is taken as it stands, and nothing is noted.
2. Nothing new is registered by this reading: `record_items` compares with it what stands under a key already.
"""

from collections.abc import Mapping
from typing import Any

from services.ingest.bulk.rows import validate_registration
from services.ingest.items.schemas import Registration
from services.ingest.sources.cells import to_json
from services.ingest.sources.source import SourceOptions
from shared.clock import timestamp, utc_now

_COLUMNS: dict[str, tuple[str, ...]] = {
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


def build_registration(columns: Mapping[str, Any], key: str, options: SourceOptions) -> Registration:
    """Turn a row's columns into the registration that the first reading made of it.

    Raises:
        InputError: it would have refused it.
    """
    filled = {name: value for name, value in columns.items() if value not in (None, "")}
    known: dict[str, Any] = {}
    used: set[str] = set()
    for meaning, spellings in _COLUMNS.items():
        spelling = next((name for name in spellings if name in filled), None)
        if spelling is not None:
            known[meaning] = filled[spelling]
            used.add(spelling)
    if "licence" not in known:
        known["licence"] = options.licence
    url = known.get("source_url")
    link = {"original_url": url, "snapshot_url": known.get("snapshot_url"), "version_date": known.get("version_date")}
    return validate_registration(
        {
            "dataset": options.dataset,
            "source_key": key,
            "acquirer": options.acquirer,
            "extra": {name: to_json(value) for name, value in filled.items() if name not in used},
            "archival_link": link if url else None,
            **_owners(known),
            **{name: known.get(name) for name in ("title", "licence", "licence_url", "acquired_from", "acquired_at")},
        }
    )


def _owners(known: Mapping[str, Any]) -> dict[str, Any]:
    creator, holder = known.get("creator"), known.get("rights_holder")
    result = "creator named" if creator else "rights holder named" if holder else "no creator named"
    owners = []
    if creator:
        owners.append({"name": creator, "url": known.get("creator_url"), "role": known.get("creator_role", "creator")})
    if holder and holder != creator:
        owners.append({"name": holder, "role": "rightsholder"})
    return {
        "owners": [{**owner, "basis": "dataset metadata", "confidence": 0.7} for owner in owners],
        "diligence": [{"source": "dataset metadata", "searched_at": timestamp(utc_now()), "result": result}],
    }
