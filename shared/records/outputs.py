"""The registry of outputs: digests of what the gate's generations look like, by which they are found again.

Rules, in order:

1. A generation has one row a recipe, written in the transaction of its first check, whatever was decided.
2. Everything here can be made again from the blobs.

Nothing here commits: the caller owns the transaction.
"""

from collections.abc import Sequence

from sqlalchemy import Column, Index, LargeBinary, UniqueConstraint
from sqlmodel import Field, Session, SQLModel, col, select

from shared.records.bulk_insert import in_chunks
from shared.records.checks import Check
from shared.records.hash_rows import ROW_ID, HashTable


class Output(SQLModel, table=True):
    """What one recipe made of one generation: digest of the pixels, PDQ hash and its quality."""

    __tablename__ = "output"
    __table_args__ = (
        UniqueConstraint("generation_sha256", "recipe"),
        Index("ix_output_recipe_id", "recipe", "id"),
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, sa_column=Column(ROW_ID, primary_key=True))
    generation_sha256: str = Field(max_length=64)
    recipe: int
    pixels_sha256: str = Field(max_length=64, index=True)
    pdq: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    quality: int


OUTPUTS = HashTable(Output, "generation_sha256", b"sleeve-o")


def save_outputs(session: Session, outputs: Sequence[Output]) -> None:
    """Keep what generations look like; what is known already stays as it is. To be the last thing of its transaction."""
    OUTPUTS.save(session, [output.model_dump(exclude={"id"}) for output in outputs])


def load_checks_of(session: Session, generations: Sequence[str]) -> list[Check]:
    """Return every check of these generations, newest first."""
    checks: list[Check] = []
    for chunk in in_chunks(generations):
        checks.extend(session.exec(select(Check).where(col(Check.generation_sha256).in_(chunk))))
    return sorted(checks, key=lambda check: check.id, reverse=True)
