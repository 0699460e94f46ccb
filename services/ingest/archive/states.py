"""Archival links as they stand: one item's Robust Link, and how many links are in which state."""

from pydantic import BaseModel, Field
from sqlmodel import Session, col, func, select

from services.ingest.archive.item_checks import build_link
from services.ingest.archive.robust_link import ArchivalState as State
from services.ingest.archive.robust_link import RobustLink, format_robust_link
from services.ingest.items.schemas import ArchivalState
from shared.clock import format_moment
from shared.errors import NotFoundError
from shared.records.items import Item


class ArchivalLinkAnswer(BaseModel):
    """An item's Robust Link, as data and as an HTML element."""

    original_url: str
    snapshot_url: str | None
    version_date: str | None = Field(description="Day of the version, YYYY-MM-DD.")
    sha256: str = Field(description="Digest of the bytes as acquired.")
    state: ArchivalState
    checked_at: str | None
    html: str = Field(description="The link as an `<a>` element with the attributes of a Robust Link.")


class ArchiveStates(BaseModel):
    """How many active items have an archival link in which state; `unlinked` have none."""

    dataset: str | None
    items: int
    unlinked: int
    verified: int
    drifted: int
    missing: int
    unchecked: int


def build_link_answer(item: Item) -> ArchivalLinkAnswer:
    """Describe an item's archival link.

    Raises:
        NotFoundError: the item has none.
        InputError: code `link_invalid`; it has one that is unusable.
    """
    if item.archival_state is None:
        raise NotFoundError(f"item {item.id} has no archival link", code="no_archival_link")
    stored = build_link(item)
    link = RobustLink(stored.original_url, stored.snapshot_url, stored.version_date, stored.sha256, State(item.archival_state))
    return ArchivalLinkAnswer(
        original_url=link.original_url,
        snapshot_url=link.snapshot_url,
        version_date=item.archival_version_date,
        sha256=item.blob_sha256,
        state=link.state.value,
        checked_at=format_moment(item.archival_checked_at) if item.archival_checked_at else None,
        html=format_robust_link(link, item.title or item.source_key),
    )


def count_states(session: Session, dataset: str | None) -> ArchiveStates:
    """Count the active items of a data set, or of all, by the state of their links."""
    query = select(Item.archival_state, func.count()).where(Item.state == "active").group_by(col(Item.archival_state))
    if dataset is not None:
        query = query.where(Item.dataset == dataset)
    counts = dict(session.exec(query).all())
    by_state = {state.value: counts.get(state.value, 0) for state in State}
    return ArchiveStates(dataset=dataset, items=sum(counts.values()), unlinked=counts.get(None, 0), **by_state)
