"""What happens to an item after its registration: amended or withdrawn, always by a new entry, never by an edit of the log.

Rules, in order:

1. The database shows the record as it now is; the log keeps every state that it had.
2. A withdrawn item is not amended and not withdrawn again; of several changes at once each sees the one before it.
3. What a registration is recognised by (`record_sha256`) stays, so that a bulk source that is read again finds its items.
"""

from typing import Any

from sqlalchemy import delete
from sqlmodel import Session, col

from services.ingest.lifecycle.schemas import Amendment, Withdrawal
from shared.clock import utc_now
from shared.errors import ConflictError, InputError
from shared.ledger.bodies import ItemAmended, ItemWithdrawn, Ownership
from shared.ledger.entries import build_entry
from shared.licences import parse_licence
from shared.records.committed_entries import HiddenValue, append_committed_entries, build_committed_entry
from shared.records.entry_rows import append_and_add
from shared.records.items import Item, ItemEntry, ItemOwner, lock_item
from shared.records.parties import find_or_add_parties


def record_amendment(session: Session, item_id: str, amendment: Amendment) -> Item:
    """Change an item's record and log the change, in the caller's transaction.

    Raises:
        NotFoundError: no such item.
        ConflictError: the item is withdrawn.
        InputError: the licence is no SPDX expression, or a snapshot is given for an item without a source URL.
    """
    item = _lock_active(session, item_id)
    if item.source_url is None and (amendment.snapshot_url or amendment.version_date):
        raise InputError("expected a source URL before a snapshot of it, got an item without one", code="no_source_url")
    licence = parse_licence(amendment.licence) if amendment.licence else None
    parties = find_or_add_parties(session, [(owner.name, owner.url or "") for owner in amendment.owners or ()])
    owners: list[dict[str, Any]] = [
        {
            "party": parties[owner.name, owner.url or ""],
            "role": owner.role,
            "basis": owner.basis,
            "confidence": owner.confidence,
        }
        for owner in amendment.owners or ()
    ]
    body = ItemAmended(
        reason=amendment.reason,
        title=amendment.title,
        licence=licence,
        licence_url=amendment.licence_url,
        snapshot_url=amendment.snapshot_url,
        version_date=amendment.version_date.isoformat() if amendment.version_date else None,
        owners=[Ownership(**owner) for owner in owners] if amendment.owners is not None else None,
    )
    names = {
        f"owners.{position}.name": HiddenValue(claim.name, owner["party"])
        for position, (claim, owner) in enumerate(zip(amendment.owners or (), owners, strict=True))
    }
    entry = build_committed_entry(body, at=utc_now(), subject={"item": item.id}, values=names)
    [entry_id] = append_committed_entries(session, [entry])
    session.add(ItemEntry(entry_id=entry_id, item_id=item.id))
    _apply(session, item, amendment, licence, owners)
    return item


def _apply(session: Session, item: Item, amendment: Amendment, licence: str | None, owners: list[dict[str, Any]]) -> None:
    item.title = amendment.title or item.title
    item.licence = licence or item.licence
    item.licence_url = amendment.licence_url or item.licence_url
    if amendment.snapshot_url:
        # Nobody has compared this snapshot with the bytes yet.
        item.archival_snapshot_url, item.archival_state, item.archival_checked_at = amendment.snapshot_url, "unchecked", None
    if amendment.version_date:
        item.archival_version_date = amendment.version_date.isoformat()
    if amendment.owners is not None:
        session.execute(delete(ItemOwner).where(col(ItemOwner.item_id) == item.id))
        for position, (claim, owner) in enumerate(zip(amendment.owners, owners, strict=True)):
            columns = claim.model_dump(include={"role", "basis", "confidence"})
            session.add(ItemOwner(item_id=item.id, position=position, party_id=owner["party"], **columns))
    session.add(item)
    session.flush()


def record_withdrawal(session: Session, item_id: str, withdrawal: Withdrawal) -> Item:
    """Withdraw an item and log it, in the caller's transaction: no later manifest can hold it.

    Raises:
        NotFoundError: no such item.
        ConflictError: the item is withdrawn already.
    """
    item = _lock_active(session, item_id)
    entry = build_entry(ItemWithdrawn(reason=withdrawal.reason), at=utc_now(), subject={"item": item.id})
    append_and_add(session, entry, lambda entry_id: ItemEntry(entry_id=entry_id, item_id=item.id))
    item.state = "withdrawn"
    session.add(item)
    session.flush()
    return item


def _lock_active(session: Session, item_id: str) -> Item:
    item = lock_item(session, item_id)
    if item.state != "active":
        raise ConflictError(f"item {item_id} is {item.state}; expected an active one", code="item_withdrawn")
    return item
