"""How far the input duty is fulfilled: for each data set, the share of its active items that have what the duty asks for.

Rules, in order:

1. Counted are active items, each once. An owner by the name of "Unknown" or the like is none.
2. A search for the owner counts until it expires; an acquirer counts until the name is erased; a link is verified by its
   last check.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields

import sqlalchemy
from sqlalchemy import ColumnElement, case, distinct, or_
from sqlmodel import Session, SQLModel, col, func, select

from services.ingest.items.placeholders import MAX_PLACEHOLDER_CHARS, is_placeholder
from services.ingest.lifecycle.erasure import ERASED
from shared.clock import utc_now
from shared.records.items import Diligence, Item, ItemOwner
from shared.records.parties import Party


@dataclass(frozen=True)
class Coverage:
    """Counts of one data set's active items; each count is of items that have the thing."""

    dataset: str
    items: int
    owner: int
    acquirer: int
    diligence: int
    archival_link: int
    archival_verified: int
    denied: int

    def share(self, count: int) -> float:
        """Return a count as a share of the items, 0..1; 0 where there are none."""
        return count / self.items if self.items else 0.0


def measure_coverage(session: Session) -> list[Coverage]:
    """Measure every data set, in the order of their names."""
    unexpired = or_(col(Diligence.expires_at).is_(None), col(Diligence.expires_at) > utc_now())
    named = (col(ItemOwner.item_id) == col(Item.id)) & ~_stands_for_nobody(session)
    with_owner = _items_having(session, ItemOwner, named)
    with_acquirer = _items_having(session, Party, (col(Party.id) == col(Item.acquirer_id)) & (col(Party.name) != ERASED))
    with_diligence = _items_having(session, Diligence, (col(Diligence.item_id) == col(Item.id)) & unexpired)
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
            acquirer=with_acquirer.get(dataset, 0),
            diligence=with_diligence.get(dataset, 0),
            archival_link=linked,
            archival_verified=int(verified),
            denied=int(denied),
        )
        for dataset, items, linked, verified, denied in session.execute(query)
    ]


def _stands_for_nobody(session: Session) -> ColumnElement[bool]:
    """Return the condition that an owner's name stands for nobody, as earlier readings recorded them.

    The ids are one value, a JSON array: a statement takes so many parameters (SQLite 32,766), and there may be more of them.
    """
    owners = select(Party.id, Party.name).where(func.length(Party.name) <= MAX_PLACEHOLDER_CHARS)
    nobodies = [party_id for party_id, name in session.exec(owners) if is_placeholder(name)]
    is_postgresql = session.get_bind().dialect.name == "postgresql"
    elements_of = func.json_array_elements_text if is_postgresql else func.json_each
    elements = elements_of(sqlalchemy.literal(nobodies, sqlalchemy.JSON)).table_valued("value")
    return col(ItemOwner.party_id).in_(sqlalchemy.select(elements.c.value))


def total_coverage(coverages: Iterable[Coverage]) -> Coverage:
    """Add up data sets.

    >>> coverage = Coverage("a", 2, 1, 2, 0, 2, 1, 0)
    >>> total_coverage([coverage, coverage]).items, total_coverage([coverage, coverage]).share(2)
    (4, 0.5)
    """
    names = [field.name for field in fields(Coverage) if field.name != "dataset"]
    parts = list(coverages)
    return Coverage("total", **{name: sum(getattr(part, name) for part in parts) for name in names})


def _items_having(session: Session, table: type[SQLModel], joined: ColumnElement[bool]) -> dict[str, int]:
    query = (
        select(Item.dataset, func.count(distinct(col(Item.id))))
        .select_from(Item)
        .join(table, joined)
        .where(Item.state == "active")
        .group_by(col(Item.dataset))
    )
    return dict(session.exec(query).all())
