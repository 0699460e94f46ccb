"""Gaps of a vector index: items that the log names and the index could not take, and why.

Rules, in order:

1. A gap is on record before the index's cursor passes its item. So what is missing is always either ahead of the cursor or
   named here.
2. `collection` is the collection's name and the instance of the index, with a slash between them. Rows of earlier versions
   hold the name alone.
3. A gap is closed when its item could be embedded after all, or when the index is dropped to be filled again.

Nothing here commits: the caller owns the transaction.
"""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import DateTime, delete
from sqlmodel import Field, Session, SQLModel, col, func, select

from shared.clock import utc_now
from shared.records.bulk_insert import insert_missing
from shared.records.manifests import ManifestItem


class IndexGap(SQLModel, table=True):
    """One item that a collection lacks: its blob, and the code of the error that embedding it ended in."""

    __tablename__ = "index_gap"

    collection: str = Field(primary_key=True)
    item_id: str = Field(primary_key=True, foreign_key="item.id", max_length=36)
    blob_sha256: str = Field(max_length=64)
    code: str
    since: datetime = Field(default_factory=utc_now, sa_type=DateTime(timezone=True))


def save_gaps(session: Session, gaps: Sequence[IndexGap]) -> None:
    """Put gaps on record; one that is there already stays."""
    rows = [gap.model_dump() for gap in sorted(gaps, key=lambda gap: gap.item_id)]
    insert_missing(session, IndexGap, rows)


def load_gaps(session: Session, collection: str, limit: int | None = None) -> list[IndexGap]:
    """Return a collection's gaps, oldest item first."""
    query = select(IndexGap).where(IndexGap.collection == collection).order_by(col(IndexGap.item_id))
    return list(session.exec(query if limit is None else query.limit(limit)))


def count_gaps(session: Session, collection: str) -> int:
    """Return how many items a collection lacks."""
    return session.exec(select(func.count()).select_from(IndexGap).where(IndexGap.collection == collection)).one()


def count_gaps_by_manifest(session: Session, collection: str) -> dict[str, int]:
    """Return how many items of each manifest a collection lacks; manifests that are whole are not named."""
    query = (
        select(ManifestItem.manifest_id, func.count())
        .join(IndexGap, col(IndexGap.item_id) == col(ManifestItem.item_id))
        .where(IndexGap.collection == collection)
        .group_by(col(ManifestItem.manifest_id))
    )
    return dict(session.exec(query).all())


def adopt_gaps(session: Session, earlier: str, collection: str) -> None:
    """Put gaps that are on record under an earlier name under the present one."""
    gaps = load_gaps(session, earlier)
    if not gaps:
        return
    save_gaps(session, [IndexGap(**(gap.model_dump() | {"collection": collection})) for gap in gaps])
    close_gaps(session, earlier)


def find_gap_of_manifest(session: Session, collection: str, manifest_id: str) -> IndexGap | None:
    """Return the first of the items of a manifest that a collection lacks, if there is one."""
    query = (
        select(IndexGap)
        .join(ManifestItem, col(ManifestItem.item_id) == col(IndexGap.item_id))
        .where(IndexGap.collection == collection, ManifestItem.manifest_id == manifest_id)
        .order_by(col(IndexGap.item_id))
    )
    return session.exec(query.limit(1)).first()


def find_manifests_with_gaps(session: Session, collection: str) -> list[str]:
    """Return the ids of the manifests that a collection holds only in part."""
    query = (
        select(ManifestItem.manifest_id)
        .join(IndexGap, col(IndexGap.item_id) == col(ManifestItem.item_id))
        .where(IndexGap.collection == collection)
        .distinct()
    )
    return sorted(session.exec(query))


def close_gaps(session: Session, collection: str, item_ids: Collection[str] | None = None) -> None:
    """Take gaps off the record: those of these items, or all of a collection's."""
    query = delete(IndexGap).where(col(IndexGap.collection) == collection)
    session.execute(query if item_ids is None else query.where(col(IndexGap.item_id).in_(item_ids)))


def drop_gaps(session: Session, name: str) -> None:
    """Take the gaps of every instance of a collection off the record."""
    of_instances = col(IndexGap.collection).startswith(f"{name}/", autoescape=True)
    session.execute(delete(IndexGap).where((col(IndexGap.collection) == name) | of_instances))
