"""Studies on record: many models of slices of one data set, audited alike."""

from datetime import datetime

from sqlalchemy import BigInteger, DateTime
from sqlmodel import Field, Session, SQLModel, col, select

from shared.clock import utc_now
from shared.errors import NotFoundError
from shared.ids import new_id


class Study(SQLModel, table=True):
    """One finished study, and the digest of the `study.json` that holds its figures."""

    __tablename__ = "study"

    id: str = Field(default_factory=new_id, primary_key=True, max_length=36)
    name: str = Field(index=True)
    config_sha256: str = Field(max_length=64)
    folder: str
    report_sha256: str = Field(max_length=64, unique=True)
    entry_id: int = Field(foreign_key="log_entry.id", unique=True, sa_type=BigInteger)
    created_at: datetime = Field(default_factory=utc_now, sa_type=DateTime(timezone=True))


def find_study(session: Session, report_sha256: str) -> Study | None:
    """Return the study with this report, if it is recorded."""
    return session.exec(select(Study).where(Study.report_sha256 == report_sha256)).first()


def load_study(session: Session, study_id: str) -> Study:
    """Return a study.

    Raises:
        NotFoundError: no study has this id.
    """
    study = session.get(Study, study_id)
    if study is None:
        raise NotFoundError(f"no study {study_id!r}", code="study_not_found")
    return study


def list_studies(session: Session, before: str | None, limit: int) -> list[Study]:
    """Return studies, newest first.

    Args:
        session: an open transaction.
        before: id of a study; only older ones.
        limit: how many at most.
    """
    query = select(Study).order_by(col(Study.id).desc()).limit(limit)
    if before is not None:
        query = query.where(col(Study.id) < before)
    return list(session.exec(query))
