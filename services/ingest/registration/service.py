"""Registration: items' bytes, records and log entries, in one transaction; one item is a batch of one.

Rules, in order:

1. The bytes are decoded under limits and the licence must be SPDX before anything is stored. One item is decoded in this
   process, where nothing can stop a decoder: what it may take is bounded by the caps on bytes, pixels, blocks and scans
   (`shared.vision.image_decoding`). In bulk each row has a limit on processor time as well (`check_pool`).
2. The blob is durable before the transaction that names it; an unused blob does no harm, a missing one would.
3. Item, owners, diligence, commitments and entry are written together or not at all.
4. The same key, bytes and record again change nothing; anything else under a known key is a conflict, never an overwrite.
5. Names go into the database; the log gets salted commitments to them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlmodel import Session

from services.ingest.items.schemas import Registration
from services.ingest.registration.item_rows import add_items
from services.ingest.registration.preparation import PreparedItem, check_item
from services.ingest.signals.signal import Signal
from shared.blobs import BlobStore
from shared.errors import ConflictError, InputError, SleeveError
from shared.records.items import Item, KnownItem, find_known_items, load_item
from shared.vision.image_decoding import ImageLimits


@dataclass(frozen=True)
class RecordedItem:
    """Where a registration is recorded, and whether it made the record."""

    item_id: str
    entry_id: int
    created: bool


@dataclass(frozen=True)
class RegisteredItem:
    """An item in the database, and whether this registration made it."""

    item: Item
    created: bool


def prepare_item(
    registration: Registration,
    data: bytes,
    blobs: BlobStore,
    limits: ImageLimits,
    *,
    source_signals: Sequence[Signal] = (),
) -> PreparedItem:
    """Check a registration and store its bytes; writes nothing to the database.

    Raises:
        InputError: the image or the licence cannot be accepted.
    """
    prepared = check_item(registration, data, limits, source_signals=source_signals)
    blobs.save(data)
    return prepared


def record_item(session: Session, prepared: PreparedItem) -> RegisteredItem:
    """Write a prepared item and its log entry in the caller's transaction.

    Returns:
        The item; the one recorded before, where the same record was registered already.

    Raises:
        ConflictError: the key is registered with other bytes or another record.
        InputError: the record is too long for an entry.
    """
    [recorded] = record_items(session, [prepared])
    if isinstance(recorded, SleeveError):
        raise recorded
    return RegisteredItem(load_item(session, recorded.item_id), recorded.created)


def record_items(session: Session, prepared: Sequence[PreparedItem]) -> list[RecordedItem | SleeveError]:
    """Write prepared items and their log entries in the caller's transaction; their blobs are stored already.

    Returns:
        For each in its order: where it is recorded, or why it cannot be. What cannot be recorded leaves nothing, but for
        parties that it named, and the others are recorded all the same.
    """
    known = find_known_items(session, [one.key for one in prepared])
    firsts: dict[tuple[str, str], PreparedItem] = {}
    for one in prepared:
        if one.key not in known:
            firsts.setdefault(one.key, one)
    made = add_items(session, list(firsts.values()))
    return [_result(one, known.get(one.key), firsts.get(one.key), made) for one in prepared]


def _result(
    one: PreparedItem,
    known: KnownItem | None,
    first: PreparedItem | None,
    made: Mapping[tuple[str, str], KnownItem | InputError],
) -> RecordedItem | SleeveError:
    found = made[one.key] if known is None else known
    if isinstance(found, InputError):
        return found
    if one is first:
        return RecordedItem(found.id, found.entry_id, created=True)
    return _conflict(found, one) or RecordedItem(found.id, found.entry_id, created=False)


def _conflict(found: KnownItem, prepared: PreparedItem) -> ConflictError | None:
    if found.record_sha256 == prepared.record_sha256:
        return None
    key = "/".join(prepared.key)
    if found.blob_sha256 != prepared.blob.sha256:
        return ConflictError(
            f"{key} is registered with other bytes: expected SHA-256 {found.blob_sha256}, got {prepared.blob.sha256}",
            code="item_bytes_differ",
        )
    return ConflictError(
        f"{key} is registered with another record; a registration is never overwritten", code="item_record_differs"
    )
