"""Searches for an owner made after registration: for each item an entry `diligence.searched`, and a row beside those of its
registration.

Rules, in order:

1. One search may be of many items; it is recorded for all of them or for none.
2. Names stay in the database: the log gets the searcher's party id, and salted commitments to name, query and note.
3. A withdrawn item may be searched for as well: models that hold it may owe its owner something.
4. Nothing is replaced: a new search stands beside the old ones, and an expired one stays on record.

Source: Directive 2012/28/EU, articles 2 and 3 and Annex: what a diligent search is, and what is to be recorded of it.
"""

from collections.abc import Sequence

from sqlmodel import Session, col, func, select

from services.ingest.diligence.schemas import OwnerSearch
from shared.clock import format_moment, utc_now
from shared.errors import InputError, NotFoundError
from shared.ids import new_id
from shared.ledger.bodies import DiligenceSearched
from shared.records.bulk_insert import in_chunks, insert_all
from shared.records.committed_entries import HiddenValue, append_committed_entries, build_committed_entry
from shared.records.items import Diligence, Item, ItemEntry
from shared.records.parties import find_or_add_parties


def record_search(session: Session, item_ids: Sequence[str], search: OwnerSearch) -> str:
    """Record a search for the owner of items, and log it for each, in the caller's transaction.

    Args:
        session: an open transaction; nothing is committed here.
        item_ids: whose owner was searched for.
        search: what was done and found.

    Returns:
        The id of the search.

    Raises:
        NotFoundError: an item is not registered.
        InputError: an item is named twice, or the search is too long for an entry.
    """
    if len(set(item_ids)) != len(item_ids):
        raise InputError(f"expected each item once, got {len(item_ids) - len(set(item_ids))} repeated", code="item_repeated")
    _lock_items(session, item_ids)
    search_id, party_id = new_id(), find_or_add_parties(session, [(search.searched_by, "")])[search.searched_by, ""]
    values = {"searched_by.name": HiddenValue(search.searched_by, party_id)}
    values |= {field: HiddenValue(text) for field in ("query", "note") if (text := getattr(search, field)) is not None}
    body, now = _build_body(search, search_id, party_id), utc_now()
    entries = [build_committed_entry(body, at=now, subject={"item": item_id}, values=values) for item_id in item_ids]
    entry_ids = append_committed_entries(session, entries)
    numbered = list(zip(entry_ids, item_ids, strict=True))
    insert_all(session, ItemEntry, [{"entry_id": entry_id, "item_id": item_id} for entry_id, item_id in numbered])
    positions = _next_positions(session, item_ids)
    columns = search.model_dump(include=set(OwnerSearch.model_fields) - {"sources", "searched_by"})
    columns |= {"sources": list(search.sources), "search_id": search_id, "searched_by_id": party_id}
    rows = [
        {**columns, "item_id": item_id, "position": positions[item_id], "entry_id": entry_id} for entry_id, item_id in numbered
    ]
    insert_all(session, Diligence, rows)
    return search_id


def _lock_items(session: Session, item_ids: Sequence[str]) -> None:
    # In one order for all callers, so that two of them cannot wait for each other.
    locked: set[str] = set()
    for chunk in in_chunks(sorted(item_ids)):
        query = select(Item.id).where(col(Item.id).in_(chunk)).order_by(col(Item.id)).with_for_update(key_share=True)
        locked.update(session.exec(query))
    if missing := [item_id for item_id in item_ids if item_id not in locked]:
        raise NotFoundError(f"{len(missing)} items are not registered; first {missing[0]!r}", code="item_not_found")


def _next_positions(session: Session, item_ids: Sequence[str]) -> dict[str, int]:
    positions = dict.fromkeys(item_ids, 0)
    for chunk in in_chunks(item_ids):
        query = (
            select(Diligence.item_id, func.max(Diligence.position))
            .where(col(Diligence.item_id).in_(chunk))
            .group_by(col(Diligence.item_id))
        )
        positions |= {item_id: highest + 1 for item_id, highest in session.exec(query)}
    return positions


def _build_body(search: OwnerSearch, search_id: str, party_id: str) -> DiligenceSearched:
    return DiligenceSearched(
        search=search_id,
        sources=list(search.sources),
        work_category=search.work_category,
        searched_by=party_id,
        searched_at=format_moment(search.searched_at),
        jurisdiction=search.jurisdiction,
        result=search.result,
        expires_at=format_moment(search.expires_at) if search.expires_at else None,
    )


def load_search(session: Session, search_id: str) -> list[Diligence]:
    """Return a search's rows, one an item, in the order in which they were logged.

    Raises:
        NotFoundError: no later search has this id.
    """
    query = select(Diligence).where(Diligence.search_id == search_id).order_by(col(Diligence.entry_id))
    rows = list(session.exec(query))
    if not rows:
        raise NotFoundError(f"no search {search_id!r}", code="search_not_found")
    return rows
