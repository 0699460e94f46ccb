"""The rows and the log entry of new items: built for a batch, written with one statement a table.

Rules, in order:

1. Parties and blobs that are there already are used, new ones added, also when another process adds the same meanwhile.
2. Item, owners, diligence, commitments and entry of an item are written together or not at all.
3. An item whose record does not fit into an entry is refused; the others of the batch are not held up by it.
4. Names go into the database; the log gets salted commitments to them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session

from services.ingest.items.schemas import PresumedOwner, Registration
from services.ingest.registration.preparation import PreparedItem
from services.ingest.signals.verdict import combine
from shared.clock import format_moment, timestamp, utc_now
from shared.errors import InputError
from shared.ids import new_id
from shared.ledger.bodies import ArchivalLink, DiligenceRecord, ItemRegistered, Ownership, SignalObserved
from shared.ledger.entries import Entry, build_entry
from shared.ledger.log import Log
from shared.records.bulk_insert import insert_all, insert_missing
from shared.records.committed_entries import CommittedEntry, HiddenValue, build_committed_entry, insert_openings
from shared.records.items import Blob, Diligence, Item, ItemEntry, ItemOwner, KnownItem, SignalRecord, complete_frames
from shared.records.parties import find_or_add_parties

# Party id by (name, URL).
Parties = Mapping[tuple[str, str], str]


@dataclass(frozen=True)
class _NewItem:
    """An item on its way into the database: its id, and its entry with the openings of its commitments."""

    prepared: PreparedItem
    item_id: str
    now: datetime
    entry: CommittedEntry


def add_items(session: Session, prepared: Sequence[PreparedItem]) -> dict[tuple[str, str], KnownItem | InputError]:
    """Write items that are not registered yet, in the caller's transaction.

    Args:
        session: an open transaction; nothing is committed here.
        prepared: items of different keys; their blobs are stored.

    Returns:
        By (dataset, source key): the item as recorded, or why it does not fit into an entry.
    """
    parties = find_or_add_parties(session, (pair for item in prepared for pair in _party_keys(item.registration)))
    built = {item.key: _build(item, parties) for item in prepared}
    refused: dict[tuple[str, str], KnownItem | InputError] = {
        key: item for key, item in built.items() if isinstance(item, InputError)
    }
    new_items, entry_ids = _append(session, [item for item in built.values() if isinstance(item, _NewItem)], refused)
    blobs = {item.prepared.blob.sha256: vars(item.prepared.blob) for item in new_items}
    insert_missing(session, Blob, [blobs[digest] for digest in sorted(blobs)])
    complete_frames(session, {digest: facts["frames"] for digest, facts in blobs.items()})
    appended = list(zip(new_items, entry_ids, strict=True))
    insert_all(session, Item, [_item_row(item, entry_id, parties) for item, entry_id in appended])
    insert_openings(session, ((item.entry, entry_id) for item, entry_id in appended))
    signals = _append_signals(session, new_items)
    insert_all(session, SignalRecord, signals)
    insert_all(session, ItemEntry, [{"entry_id": row["entry_id"], "item_id": row["item_id"]} for row in signals])
    insert_all(session, ItemOwner, [row for item in new_items for row in _owner_rows(item, parties)])
    insert_all(session, Diligence, [row for item in new_items for row in _diligence_rows(item)])
    return refused | {item.prepared.key: _describe(item, entry_id) for item, entry_id in appended}


def _party_keys(registration: Registration) -> list[tuple[str, str]]:
    return [(registration.acquirer, ""), *map(_party_key, registration.owners)]


def _party_key(owner: PresumedOwner) -> tuple[str, str]:
    return owner.name, owner.url or ""


def _build(prepared: PreparedItem, parties: Parties) -> _NewItem | InputError:
    registration, item_id, now = prepared.registration, new_id(), utc_now()
    values = {"acquirer.name": HiddenValue(registration.acquirer, parties[registration.acquirer, ""])}
    values |= {
        f"owners.{position}.name": HiddenValue(owner.name, parties[_party_key(owner)])
        for position, owner in enumerate(registration.owners)
    }
    # A query often holds the name that was searched for.
    values |= {
        f"diligence.{position}.query": HiddenValue(search.query)
        for position, search in enumerate(registration.diligence)
        if search.query
    }
    try:
        entry = build_committed_entry(
            _entry_body(prepared, parties, timestamp(registration.acquired_at or now)),
            at=now,
            subject={"item": item_id, "sha256": prepared.blob.sha256},
            values=values,
        )
    except InputError as error:
        return error
    return _NewItem(prepared, item_id, now, entry)


def _append(
    session: Session, new_items: list[_NewItem], refused: dict[tuple[str, str], KnownItem | InputError]
) -> tuple[list[_NewItem], list[int]]:
    """Append the entries; those that the log does not take are moved to the refused ones."""
    try:
        return new_items, Log.append(session, [item.entry.entry for item in new_items])
    except InputError:  # raised before anything is written, for the first that does not fit
        refused |= {item.prepared.key: error for item in new_items if (error := _entry_error(item.entry.entry)) is not None}
    fitting = [item for item in new_items if item.prepared.key not in refused]
    return fitting, Log.append(session, [item.entry.entry for item in fitting])


def _entry_error(entry: Entry) -> InputError | None:
    try:
        entry.canonical_bytes()
    except InputError as error:
        return error
    return None


def _append_signals(session: Session, new_items: Sequence[_NewItem]) -> list[dict[str, Any]]:
    """Log every rights signal of new items, each an entry of its own, and give the rows that name the entries."""
    observed = [(item, signal) for item in new_items for signal in item.prepared.signals]
    entries = [
        build_entry(
            SignalObserved(
                kind=signal.kind,
                verdict=signal.verdict,
                raw_sha256=signal.raw_sha256,
                detail=signal.detail,
                observed_at=timestamp(signal.observed_at),
            ),
            at=item.now,
            subject={"item": item.item_id},
        )
        for item, signal in observed
    ]
    return [
        {
            "entry_id": entry_id,
            "item_id": item.item_id,
            "kind": signal.kind,
            "verdict": signal.verdict,
            "raw_sha256": signal.raw_sha256,
            "detail": signal.detail,
            "observed_at": signal.observed_at,
        }
        for entry_id, (item, signal) in zip(Log.append(session, entries), observed, strict=True)
    ]


def _describe(item: _NewItem, entry_id: int) -> KnownItem:
    return KnownItem(item.item_id, entry_id, item.prepared.blob.sha256, item.prepared.record_sha256)


def _item_row(item: _NewItem, entry_id: int, parties: Parties) -> dict[str, Any]:
    registration = item.prepared.registration
    link = registration.archival_link
    return {
        "id": item.item_id,
        "dataset": registration.dataset,
        "source_key": registration.source_key,
        "blob_sha256": item.prepared.blob.sha256,
        "record_sha256": item.prepared.record_sha256,
        "title": registration.title,
        "licence": item.prepared.licence,
        "licence_url": registration.licence_url,
        "source_url": link.original_url if link else registration.source_url,
        "acquired_from": registration.acquired_from,
        "acquired_at": registration.acquired_at or item.now,
        "acquirer_id": parties[registration.acquirer, ""],
        "archival_snapshot_url": link.snapshot_url if link else None,
        "archival_version_date": link.version_date.isoformat() if link and link.version_date else None,
        "archival_state": "unchecked" if link else None,
        "extra": registration.extra,
        "state": "active",
        "rights_verdict": combine(item.prepared.signals),
        "training_permission": registration.training_permission,
        "entry_id": entry_id,
        "created_at": item.now,
    }


def _owner_rows(item: _NewItem, parties: Parties) -> list[dict[str, Any]]:
    return [
        {
            "item_id": item.item_id,
            "position": position,
            "party_id": parties[_party_key(owner)],
            "role": owner.role,
            "basis": owner.basis,
            "confidence": owner.confidence,
        }
        for position, owner in enumerate(item.prepared.registration.owners)
    ]


def _diligence_rows(item: _NewItem) -> list[dict[str, Any]]:
    searches = enumerate(item.prepared.registration.diligence)
    return [
        {"item_id": item.item_id, "position": position, "sources": [search.source], **search.model_dump(exclude={"source"})}
        for position, search in searches
    ]


def _entry_body(prepared: PreparedItem, parties: Parties, acquired_at: str) -> ItemRegistered:
    registration, blob, link = prepared.registration, prepared.blob, prepared.registration.archival_link
    return ItemRegistered(
        dataset=registration.dataset,
        title=registration.title,
        media_type=blob.media_type,
        width_px=blob.width_px,
        height_px=blob.height_px,
        frames=blob.frames,
        size_bytes=blob.size_bytes,
        licence=prepared.licence,
        licence_url=registration.licence_url,
        source_url=link.original_url if link else registration.source_url,
        archival_link=_archival_body(prepared),
        acquired_from=registration.acquired_from,
        acquired_at=acquired_at,
        acquirer=parties[registration.acquirer, ""],
        owners=[
            Ownership(party=parties[_party_key(owner)], role=owner.role, basis=owner.basis, confidence=owner.confidence)
            for owner in registration.owners
        ],
        diligence=[
            DiligenceRecord(
                source=search.source,
                searched_at=format_moment(search.searched_at),
                jurisdiction=search.jurisdiction,
                result=search.result,
                expires_at=format_moment(search.expires_at) if search.expires_at else None,
            )
            for search in registration.diligence
        ],
        training_permission=registration.training_permission,
    )


def _archival_body(prepared: PreparedItem) -> ArchivalLink | None:
    link = prepared.registration.archival_link
    if link is None:
        return None
    return ArchivalLink(**link.model_dump(mode="json"), sha256=prepared.blob.sha256, state="unchecked")
