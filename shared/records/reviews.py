"""The review queue: flags and borderline checks that wait for a reviewer's verdict.

Rules, in order:

1. What is to be reviewed is queued in the transaction that makes it so. It gets one verdict, once and for all.
2. The oldest comes first: the ids are those of flags and checks, which sort by the time of their making.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import BigInteger, DateTime, Index
from sqlmodel import Field, Session, SQLModel, col, func, select

from shared.clock import utc_now
from shared.errors import NotFoundError
from shared.records.bulk_insert import in_chunks


class Review(SQLModel, table=True):
    """One thing to review, a `flag` or a `check`, under its own id; the verdict is null while it waits."""

    __tablename__ = "review"
    __table_args__ = (Index("ix_review_verdict_subject", "verdict", "subject_id"),)

    subject_id: str = Field(primary_key=True, max_length=36)
    kind: str
    check_id: str = Field(foreign_key="check.id", index=True, max_length=36)
    opened_at: datetime = Field(default_factory=utc_now, sa_type=DateTime(timezone=True))
    verdict: str | None = None
    role: str | None = None
    entry_id: int | None = Field(default=None, foreign_key="log_entry.id", unique=True, sa_type=BigInteger)
    closed_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))


def find_review(session: Session, subject_id: str) -> Review | None:
    """Return the review of a flag or check, if it is or was to be reviewed."""
    return session.get(Review, subject_id)


def find_reviews(session: Session, subject_ids: Sequence[str]) -> dict[str, Review]:
    """Return the reviews of flags or checks, by id; what is not and was not to be reviewed is left out."""
    chunks = in_chunks(subject_ids)
    return {
        review.subject_id: review
        for ids in chunks
        for review in session.exec(select(Review).where(col(Review.subject_id).in_(ids)))
    }


def lock_review(session: Session, subject_id: str) -> Review:
    """Return a review as it is now and keep others from closing it until the transaction ends.

    Raises:
        NotFoundError: nothing of this id is or was to be reviewed.
    """
    query = select(Review).where(Review.subject_id == subject_id).with_for_update(key_share=True)
    review = session.exec(query.execution_options(populate_existing=True)).first()
    if review is None:
        raise NotFoundError(f"nothing of the id {subject_id!r} is to be reviewed", code="review_not_found")
    return review


def list_open_reviews(session: Session, after: str, limit: int, kind: str | None = None) -> list[Review]:
    """Return a page of what waits for a verdict, oldest first; `after` is the id of the last one of the page before."""
    query = select(Review).where(col(Review.verdict).is_(None), col(Review.subject_id) > after)
    if kind is not None:
        query = query.where(Review.kind == kind)
    return list(session.exec(query.order_by(col(Review.subject_id)).limit(limit)))


def count_open_reviews(session: Session) -> dict[str, int]:
    """Return how much waits for a verdict, by kind."""
    query = select(Review.kind, func.count()).where(col(Review.verdict).is_(None)).group_by(col(Review.kind))
    return dict(session.exec(query).all())
