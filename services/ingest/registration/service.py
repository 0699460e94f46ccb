"""Registration: one item's bytes, record and log entry, in one transaction.

Rules, in order:

1. The bytes are decoded under limits and the licence must be SPDX before anything is stored.
2. The blob is durable before the transaction that names it; an unused blob does no harm, a missing one would.
3. Item, owners, diligence, commitments and entry are written together or not at all.
4. The same key, bytes and record again change nothing; anything else under a known key is a conflict, never an overwrite.
5. Names go into the database; the log gets salted commitments to them.
"""

from dataclasses import dataclass
from typing import Any

from sqlmodel import Session

from services.ingest.registration.schemas import Registration, format_moment
from shared.blobs import BlobStore
from shared.canonical import canonical_json, sha256_hex
from shared.clock import timestamp, utc_now
from shared.errors import ConflictError
from shared.ids import new_id
from shared.ledger.commitments import build_commitment, new_salt
from shared.ledger.entries import Entry
from shared.ledger.log import Log
from shared.licences import parse_licence
from shared.records.items import Blob, Commitment, Diligence, Item, ItemOwner, find_item
from shared.records.parties import Party, find_or_add_party
from shared.vision.images import ImageLimits, decode_image


@dataclass(frozen=True)
class PreparedItem:
    """A registration whose bytes and licence were found good, ready to be recorded."""

    registration: Registration
    blob: Blob
    record_sha256: str
    licence: str


@dataclass(frozen=True)
class RegisteredItem:
    """An item in the database, and whether this registration made it."""

    item: Item
    created: bool


def prepare_item(registration: Registration, data: bytes, blobs: BlobStore, limits: ImageLimits) -> PreparedItem:
    """Check a registration and store its bytes; writes nothing to the database.

    Raises:
        InputError: the image or the licence cannot be accepted.
    """
    licence = parse_licence(registration.licence)
    image = decode_image(data, limits)
    blob = Blob(
        sha256=blobs.save(data),
        media_type=image.media_type,
        size_bytes=len(data),
        width_px=image.width_px,
        height_px=image.height_px,
    )
    identity = {**registration.identity(), "licence": licence, "sha256": blob.sha256}
    return PreparedItem(registration, blob, sha256_hex(canonical_json(identity)), licence)


def record_item(session: Session, prepared: PreparedItem) -> RegisteredItem:
    """Write a prepared item and its log entry in the caller's transaction.

    Returns:
        The item; the one recorded before, where the same record was registered already.

    Raises:
        ConflictError: the key is registered with other bytes or another record.
    """
    registration = prepared.registration
    found = find_item(session, registration.dataset, registration.source_key)
    if found is not None:
        _check_same(found, prepared)
        return RegisteredItem(found, created=False)
    acquirer = find_or_add_party(session, registration.acquirer)
    owners = [find_or_add_party(session, owner.name, owner.url or "") for owner in registration.owners]
    if session.get(Blob, prepared.blob.sha256) is None:
        session.add(prepared.blob)
        session.flush()
    return RegisteredItem(_add_item(session, prepared, acquirer, owners), created=True)


def _check_same(found: Item, prepared: PreparedItem) -> None:
    if found.record_sha256 == prepared.record_sha256:
        return
    key = f"{prepared.registration.dataset}/{prepared.registration.source_key}"
    if found.blob_sha256 != prepared.blob.sha256:
        raise ConflictError(
            f"{key} is registered with other bytes: expected SHA-256 {found.blob_sha256}, got {prepared.blob.sha256}",
            code="item_bytes_differ",
        )
    raise ConflictError(
        f"{key} is registered with another record; a registration is never overwritten", code="item_record_differs"
    )


def _add_item(session: Session, prepared: PreparedItem, acquirer: Party, owners: list[Party]) -> Item:
    registration, item_id, now = prepared.registration, new_id(), utc_now()
    acquired_at = registration.acquired_at or now
    named = {"acquirer.name": registration.acquirer}
    named |= {f"owners.{position}.name": owner.name for position, owner in enumerate(registration.owners)}
    salts = {field: new_salt() for field in named}
    entry = Entry(
        type="item.registered",
        at=timestamp(now),
        subject={"item": item_id, "sha256": prepared.blob.sha256},
        body=_entry_body(prepared, acquirer, owners, timestamp(acquired_at)),
        commitments={field: build_commitment(value, salts[field]) for field, value in named.items()},
    )
    [entry_id] = Log.append(session, [entry])
    link = registration.archival_link
    item = Item(
        id=item_id,
        dataset=registration.dataset,
        source_key=registration.source_key,
        blob_sha256=prepared.blob.sha256,
        record_sha256=prepared.record_sha256,
        title=registration.title,
        licence=prepared.licence,
        licence_url=registration.licence_url,
        source_url=link.original_url if link else registration.source_url,
        acquired_from=registration.acquired_from,
        acquired_at=acquired_at,
        acquirer_id=acquirer.id,
        archival_snapshot_url=link.snapshot_url if link else None,
        archival_version_date=link.version_date.isoformat() if link and link.version_date else None,
        archival_state="unchecked" if link else None,
        extra=registration.extra,
        entry_id=entry_id,
        created_at=now,
    )
    session.add(item)
    session.flush()
    session.add_all(Commitment(entry_id=entry_id, field=f, salt=salts[f], value=value) for f, value in named.items())
    _add_owners_and_diligence(session, item_id, registration, owners)
    session.flush()
    return item


def _add_owners_and_diligence(session: Session, item_id: str, registration: Registration, owners: list[Party]) -> None:
    for position, (claim, party) in enumerate(zip(registration.owners, owners, strict=True)):
        named = claim.model_dump(include={"role", "basis", "confidence"})
        session.add(ItemOwner(item_id=item_id, position=position, party_id=party.id, **named))
    for position, search in enumerate(registration.diligence):
        session.add(Diligence(item_id=item_id, position=position, **search.model_dump()))


def _entry_body(prepared: PreparedItem, acquirer: Party, owners: list[Party], acquired_at: str) -> dict[str, Any]:
    registration, blob, link = prepared.registration, prepared.blob, prepared.registration.archival_link
    return {
        "dataset": registration.dataset,
        "title": registration.title,
        "media_type": blob.media_type,
        "width_px": blob.width_px,
        "height_px": blob.height_px,
        "size_bytes": blob.size_bytes,
        "licence": prepared.licence,
        "licence_url": registration.licence_url,
        "source_url": link.original_url if link else registration.source_url,
        "archival_link": _archival_body(prepared),
        "acquired_from": registration.acquired_from,
        "acquired_at": acquired_at,
        "acquirer": acquirer.id,
        "owners": [
            {"party": party.id, "role": claim.role, "basis": claim.basis, "confidence": claim.confidence}
            for claim, party in zip(registration.owners, owners, strict=True)
        ],
        "diligence": [
            {
                "source": search.source,
                # A query often holds a name, so the log carries its digest.
                "query_sha256": sha256_hex(search.query.encode()) if search.query else None,
                "searched_at": format_moment(search.searched_at),
                "jurisdiction": search.jurisdiction,
                "result": search.result,
                "expires_at": format_moment(search.expires_at) if search.expires_at else None,
            }
            for search in registration.diligence
        ],
    }


def _archival_body(prepared: PreparedItem) -> dict[str, Any] | None:
    link = prepared.registration.archival_link
    if link is None:
        return None
    return {**link.model_dump(mode="json"), "sha256": prepared.blob.sha256, "state": "unchecked"}
