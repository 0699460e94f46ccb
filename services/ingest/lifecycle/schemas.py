"""What may be said of an item after its registration."""

from typing import Self

from pydantic import Field, model_validator

from services.ingest.items.schemas import Day, PresumedOwner, Url
from shared.schemas import StrictModel, Text


class Amendment(StrictModel):
    """A change to an item's record; only what is given changes, and a reason is always given."""

    reason: Text
    title: Text | None = None
    licence: Text | None = Field(default=None, description="SPDX expression, or LicenseRef-….")
    licence_url: Url | None = None
    snapshot_url: Url | None = None
    version_date: Day | None = None
    owners: tuple[PresumedOwner, ...] | None = Field(
        default=None,
        max_length=100,
        fail_fast=True,
        description="Replaces the presumed owners; an empty list says that none is known.",
    )

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if not self.model_dump(exclude={"reason"}, exclude_none=True) and self.owners is None:
            raise ValueError("expected at least one field besides the reason")
        return self


class Withdrawal(StrictModel):
    """Why an item is withdrawn."""

    reason: Text
