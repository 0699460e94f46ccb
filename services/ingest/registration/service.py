"""Registration: items' bytes, records and log entries, in one transaction; one item is a batch of one.

Rules, in order:

1. The bytes are decoded under limits and the licence must be SPDX before anything is stored. One item is decoded in this
   process, where nothing can stop a decoder: what it may take is bounded by the caps on bytes, pixels, blocks and scans
   (`shared.vision.image_decoding`). In bulk each row has a limit on processor time as well (`bulk.check_pool`).
2. The blob is durable before the transaction that names it; an unused blob does no harm, a missing one would.
3. Item, owners, diligence, commitments and entry are written together or not at all.
4. The same key, bytes and record again change nothing. Anything else under a known key is a conflict, never an overwrite.
5. Names go into the database; the log gets salted commitments to them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import ValidationError
from sqlmodel import Session

from services.ingest.items.answers import build_item_answer
from services.ingest.items.schemas import Registration, RegistrationAnswer
from services.ingest.registration.item_rows import add_items
from services.ingest.registration.preparation import PreparedItem, check_item
from services.ingest.signals.signal import Signal
from shared.blobs import BlobStore
from shared.errors import ConflictError, InputError, SleeveError
from shared.idempotency import once
from shared.receipts import prove_entry
from shared.records.items import KnownItem, find_known_items, load_item
from shared.schemas import describe_field_errors
from shared.vision.image_limits import ImageLimits
from shared.workspace import Workspace

OPERATION = "items.register"


@dataclass(frozen=True)
class RegistrationOutcome:
    """Where a registration is recorded, and whether it made the record."""

    item_id: str
    entry_id: int
    created: bool


def parse_registration(text: str) -> Registration:
    """Parse the JSON of a registration.

    Raises:
        InputError: it does not fit; the message names every field that is off.
    """
    try:
        return Registration.model_validate_json(text)
    except ValidationError as error:
        raise InputError(f"record does not fit: {describe_field_errors(error, 'record')}", code="record_invalid") from error


def register_image(
    workspace: Workspace, registration: Registration, data: bytes, idempotency_key: str | None = None
) -> RegistrationAnswer:
    """Register one image, and return its record with the receipt of its entry.

    Raises:
        InputError: the image, the licence or the record cannot be accepted.
        ConflictError: the item's key is registered with something else, or the Idempotency-Key was used for another request.
    """
    prepared = prepare_item(registration, data, workspace.blobs, workspace.limits)
    is_new_record = False

    def record(session: Session) -> str:
        nonlocal is_new_record
        recorded = record_item(session, prepared)
        is_new_record = recorded.created
        return recorded.item_id

    request = {"record": prepared.record_sha256, "blob": prepared.blob.sha256}
    effect = once(workspace, OPERATION, idempotency_key, request, record)
    with workspace.reading() as session:
        item = load_item(session, effect.resource_id)
        answer = build_item_answer(session, item)
    proof = prove_entry(workspace, item.entry_id)
    return RegistrationAnswer(item=answer, created=effect.created and is_new_record, **proof)


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


def record_item(session: Session, prepared: PreparedItem) -> RegistrationOutcome:
    """Write a prepared item and its log entry in the caller's transaction.

    Returns:
        Where the item is recorded, in this transaction or an earlier one.

    Raises:
        ConflictError: the key is registered with other bytes or another record.
        InputError: the record is too long for an entry.
    """
    [recorded] = record_items(session, [prepared])
    if isinstance(recorded, SleeveError):
        raise recorded
    return recorded


def record_items(session: Session, prepared: Sequence[PreparedItem]) -> list[RegistrationOutcome | SleeveError]:
    """Write prepared items and their log entries in the caller's transaction; their blobs are stored already.

    Returns:
        For each item in its order: where it is recorded, or why it cannot be. What cannot be recorded leaves nothing, but for
        parties that it named, and the others are recorded all the same.
    """
    holders = find_known_items(session, [key for item in prepared for key in item.keys])
    # Of several rows with one key the first is recorded; the others are compared with it.
    new: dict[tuple[str, str], PreparedItem] = {}
    placed = []
    for item in prepared:
        place = _place(item, holders, new)
        placed.append(place)
        if place.key not in holders:
            new.setdefault(place.key, place)
    added = add_items(session, list(new.values()))
    records = {**added, **holders}
    return [_compare(records[item.key], item, created=item is new.get(item.key)) for item in placed]


def _place(
    item: PreparedItem, holders: Mapping[tuple[str, str], KnownItem], new: Mapping[tuple[str, str], PreparedItem]
) -> PreparedItem:
    """Return an item in the form in which it is recorded already, or else under the key that it is to have.

    That is its own key, or the spare one where its own stands for other bytes.
    """
    if not any(key in holders or key in new for key in item.keys):
        return item
    for make_form in (lambda: item, item.in_earlier_form, item.under_spare_key):
        form = make_form()
        if form is not None and (holder := holders.get(form.key)) is not None and _is_same(holder, form):
            return form
    holder_blob = _blob_of(item.key, holders, new)
    return item if holder_blob in {None, item.blob.sha256} else item.under_spare_key() or item


def _is_same(holder: KnownItem, item: PreparedItem) -> bool:
    return (holder.blob_sha256, holder.record_sha256) == (item.blob.sha256, item.record_sha256)


def _blob_of(
    key: tuple[str, str], holders: Mapping[tuple[str, str], KnownItem], new: Mapping[tuple[str, str], PreparedItem]
) -> str | None:
    if (holder := holders.get(key)) is not None:
        return holder.blob_sha256
    return new[key].blob.sha256 if key in new else None


def _compare(record: KnownItem | InputError, item: PreparedItem, *, created: bool) -> RegistrationOutcome | SleeveError:
    """Return where an item is recorded, or why it cannot be: it was refused, or its key stands for something else."""
    if isinstance(record, InputError):
        return record
    key = "/".join(item.key)
    if record.blob_sha256 != item.blob.sha256:
        return ConflictError(
            f"{key} is registered with other bytes: expected SHA-256 {record.blob_sha256}, got {item.blob.sha256}",
            code="item_bytes_differ",
        )
    if record.record_sha256 != item.record_sha256:
        return ConflictError(
            f"{key} is registered with another record; a registration is never overwritten", code="item_record_differs"
        )
    return RegistrationOutcome(record.id, record.entry_id, created)
