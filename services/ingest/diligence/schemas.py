"""What a search for an owner says, and what it answers."""

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, StringConstraints, model_validator

from services.ingest.items.schemas import DiligenceAnswer, Moment
from shared.clock import utc_now
from shared.records.openings import Openings
from shared.schemas import StrictModel, Text

# Directive 2012/28/EU, Annex, point 3: the kinds of visual works that it names sources for.
WorkCategory = Literal["fine_art", "photography", "illustration", "design", "architecture", "sketch", "other_visual"]
# The same directive, article 2(1): a rightholder is identified, and is located; a search may also settle neither.
SearchResult = Literal["owner_located", "owner_identified", "owner_not_found", "inconclusive"]

# Our own bound: as many items as are registered together within a few seconds.
MAX_ITEMS = 10_000
# Clocks of different machines differ; nothing later than this is a search that took place.
CLOCK_SKEW = timedelta(minutes=5)

ItemId = Annotated[str, StringConstraints(min_length=1, max_length=36)]


class OwnerSearch(StrictModel):
    """A search for the owner made after registration: diligent, in good faith, before use."""

    sources: tuple[Text, ...] = Field(min_length=1, max_length=50, fail_fast=True, description="What was searched.")
    query: Text | None = Field(default=None, description="What was searched for; the log holds a salted commitment to it.")
    searched_by: Text = Field(description="Who searched; the log holds a salted commitment to the name.")
    searched_at: Moment
    jurisdiction: Text | None = Field(default=None, description="Whose law the search is to satisfy, such as `DE`.")
    work_category: WorkCategory
    result: SearchResult
    note: Text | None = Field(default=None, description="What was found, in words; the log holds a salted commitment to it.")
    expires_at: Moment | None = Field(default=None, description="From when on the search no longer counts.")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.searched_at > utc_now() + CLOCK_SKEW:
            raise ValueError("expected searched_at in the past, got a time to come")
        if self.expires_at is not None and self.expires_at <= self.searched_at:
            raise ValueError("expected expires_at after searched_at")
        return self


class OwnerSearchOfMany(OwnerSearch):
    """One search for the owner of several items."""

    items: tuple[ItemId, ...] = Field(
        min_length=1, max_length=MAX_ITEMS, fail_fast=True, description="Ids of the items, each once."
    )


class OwnerSearchAnswer(BaseModel):
    """A search as recorded; `receipt` proves the entry of its first item, and each item's history holds its own."""

    id: str
    items: list[str]
    search: DiligenceAnswer
    receipt: str
    opening: Openings


class ItemDiligence(BaseModel):
    """Every search for the owner of an item, those of its registration first."""

    searches: list[DiligenceAnswer]
