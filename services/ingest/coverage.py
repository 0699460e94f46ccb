"""How far the input duty is fulfilled: for each data set, the share of its active items that have what the duty asks for."""

from dataclasses import dataclass

import sqlalchemy
from sqlalchemy import case, distinct
from sqlmodel import Session, col, func, select

from shared.records.items import Diligence, Item, ItemOwner


@dataclass(frozen=True)
class Coverage:
    """Counts of one data set's active items; each count is of items that have the thing."""

    dataset: str
    items: int
    owner: int
    diligence: int
    archival_link: int
    archival_verified: int
    denied: int

    def share(self, count: int) -> float:
        """Return a count as a share of the items, 0..1."""
        return count / self.items


def measure_coverage(session: Session) -> list[Coverage]:
    """Measure every data set, in the order of their names. Every item has an acquirer and a licence; both are required."""
    with_owner = _items_having(session, ItemOwner)
    with_diligence = _items_having(session, Diligence)
    query = (
        sqlalchemy.select(
            col(Item.dataset),
            func.count(),
            func.count(col(Item.archival_state)),
            func.sum(case((col(Item.archival_state) == "verified", 1), else_=0)),
            func.sum(case((col(Item.rights_verdict) == "deny", 1), else_=0)),
        )
        .where(col(Item.state) == "active")
        .group_by(col(Item.dataset))
        .order_by(col(Item.dataset))
    )
    return [
        Coverage(
            dataset=dataset,
            items=items,
            owner=with_owner.get(dataset, 0),
            diligence=with_diligence.get(dataset, 0),
            archival_link=linked,
            archival_verified=int(verified),
            denied=int(denied),
        )
        for dataset, items, linked, verified, denied in session.execute(query)
    ]


def _items_having(session: Session, table: type[ItemOwner] | type[Diligence]) -> dict[str, int]:
    query = (
        select(Item.dataset, func.count(distinct(col(table.item_id))))
        .join(table, col(table.item_id) == col(Item.id))
        .where(Item.state == "active")
        .group_by(col(Item.dataset))
    )
    return dict(session.exec(query).all())
