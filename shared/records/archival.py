"""Items with an archival link: which are due for a check or a capture, and what the last one found.

Nothing here commits: the caller owns the transaction.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import ColumnElement, or_
from sqlmodel import Session, col, func, select

from shared.records.items import Item, ItemEntry

# The column that says when an item was last looked at for the sake of one job.
DueBy = Literal["archival_checked_at", "capture_tried_at"]


@dataclass(frozen=True)
class DueItems:
    """Which items are due: active ones with an archival link, not looked at since a time.

    Args:
        by: which looking counts.
        not_since: those looked at after it are left out.
        dataset: of this data set only.
    """

    by: DueBy
    not_since: datetime
    dataset: str | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """What holds for such an item."""
        looked_at = col(getattr(Item, self.by))
        conditions = [
            col(Item.state) == "active",
            col(Item.archival_state).is_not(None),
            or_(looked_at.is_(None), looked_at <= self.not_since),
        ]
        return conditions if self.dataset is None else [*conditions, col(Item.dataset) == self.dataset]


def count_due_items(session: Session, due: DueItems) -> int:
    """Return how many items are due."""
    return session.exec(select(func.count()).select_from(Item).where(*due.conditions())).one()


def load_due_items(session: Session, due: DueItems, after: str, limit: int) -> list[Item]:
    """Return a page of due items in the order of their ids, after that of the last item of the page before."""
    query = select(Item).where(col(Item.id) > after, *due.conditions()).order_by(col(Item.id)).limit(limit)
    return list(session.exec(query))


def save_archival_state(
    session: Session, item: Item, state: str, checked_at: datetime, entry_ids: list[int], *, capture_tried: bool
) -> None:
    """Keep what a check of an item's link found, and which entries say so."""
    item.archival_state = state
    item.archival_checked_at = checked_at
    if capture_tried:
        item.capture_tried_at = checked_at
    session.add(item)
    session.add_all(ItemEntry(entry_id=entry_id, item_id=item.id) for entry_id in entry_ids)
    session.flush()
