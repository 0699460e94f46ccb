"""Records turned into answers: what the API and the CLI show of an item, and to whom (`shared.auth.item_visibility`)."""

from collections.abc import Sequence

from sqlmodel import Session

from services.ingest.items.schemas import DiligenceAnswer, ItemAnswer, OwnerAnswer, SignalAnswer
from shared.auth.caller import Caller
from shared.auth.item_visibility import PublicItem, sees_item
from shared.clock import format_moment, timestamp, utc_now
from shared.errors import CorruptStateError
from shared.records.item_owners import is_contested, load_owners
from shared.records.items import Blob, Diligence, Item, load_diligence, load_signals
from shared.records.parties import Party


def build_item_answer(session: Session, item: Item) -> ItemAnswer:
    """Gather an item's record.

    Raises:
        CorruptStateError: the item names a blob or acquirer that is not there.
    """
    blob, acquirer = session.get(Blob, item.blob_sha256), session.get(Party, item.acquirer_id)
    if blob is None or acquirer is None:
        raise CorruptStateError(f"item {item.id} has no blob or acquirer record")
    link = None
    if item.archival_state is not None:
        link = {
            "original_url": item.source_url,
            "snapshot_url": item.archival_snapshot_url,
            "version_date": item.archival_version_date,
            "sha256": item.blob_sha256,
            "state": item.archival_state,
        }
    fields = item.model_dump(
        include={
            "id",
            "dataset",
            "source_key",
            "title",
            "licence",
            "licence_url",
            "source_url",
            "acquired_from",
            "state",
        }
    )
    return ItemAnswer(
        **fields,
        sha256=item.blob_sha256,
        media_type=blob.media_type,
        width_px=blob.width_px,
        height_px=blob.height_px,
        frames=blob.frames,
        archival_link=link,
        acquired_at=format_moment(item.acquired_at),
        acquirer=acquirer.name,
        owners=_owner_answers(session, item),
        contested=is_contested(session, item.blob_sha256),
        rights_verdict=item.rights_verdict,
        training_permission=item.training_permission,
        signals=[
            SignalAnswer(
                **signal.model_dump(include={"kind", "verdict", "raw_sha256", "detail"}),
                observed_at=format_moment(signal.observed_at),
            )
            for signal in load_signals(session, item.id)
        ],
        diligence=build_diligence_answers(session, load_diligence(session, item.id)),
        extra=item.extra,
    )


def build_visible_item(session: Session, item: Item, caller: Caller) -> ItemAnswer | PublicItem:
    """Gather what a caller may see of an item."""
    answer = build_item_answer(session, item)
    if sees_item(caller, {owner.party_id for owner in answer.owners}):
        return answer
    return PublicItem(id=item.id, licence=item.licence, state=item.state)


def build_diligence_answers(session: Session, searches: Sequence[Diligence]) -> list[DiligenceAnswer]:
    """Describe searches for an owner, in the order given."""
    searcher_ids = {search.searched_by_id for search in searches if search.searched_by_id is not None}
    names = {party_id: session.get_one(Party, party_id).name for party_id in searcher_ids}
    now = timestamp(utc_now())
    return [_diligence_answer(search, names.get(search.searched_by_id or ""), now) for search in searches]


def _diligence_answer(search: Diligence, searched_by: str | None, now: str) -> DiligenceAnswer:
    expires_at = format_moment(search.expires_at) if search.expires_at else None
    return DiligenceAnswer(
        **search.model_dump(include={"search_id", "sources", "query", "jurisdiction", "work_category", "result", "note"}),
        searched_by=searched_by,
        searched_at=format_moment(search.searched_at),
        expires_at=expires_at,
        expired=expires_at is not None and expires_at <= now,
    )


def _owner_answers(session: Session, item: Item) -> list[OwnerAnswer]:
    return [
        OwnerAnswer(
            party_id=party.id,
            name=party.name,
            url=party.url or None,
            role=owner.role,
            basis=owner.basis,
            confidence=owner.confidence,
        )
        for owner, party in load_owners(session, [item.id])[item.id]
    ]
