"""What a search by embedding answers."""

from typing import Any

from pydantic import BaseModel, Field

from services.output_gate.results.schemas import MatchedItem, Metrics
from shared.auth.item_visibility import PublicItem


class NearItem(BaseModel):
    """A registered item near a picture."""

    item: MatchedItem | PublicItem = Field(description="Without `items:read`: in full only where it names the key's party.")
    cosine: float = Field(description="Of the two embeddings, -1..1.")
    metrics: Metrics | None = Field(description="The suite on the two pictures; null where the item's bytes are unusable.")
    problem: str | None = Field(description="Code of why they are.")


class SearchedItems(BaseModel):
    """What the answer speaks of: an item is absent only as far as the index holds all of them."""

    registered: int = Field(description="Items registered, withdrawn ones included.")
    behind_entries: int = Field(description="Log entries that the index has not taken in yet.")
    gaps: int = Field(description="Items that could not be embedded.")
    complete: bool


class NearestAnswer(BaseModel):
    """The registered items nearest to a picture, nearest first."""

    sha256: str
    width_px: int
    height_px: int
    embedder: str
    index: dict[str, Any] = Field(description="What the search rests on: engine, its version, exact or not, cursor.")
    compared_px: int = Field(description="Side of the square views on which the suite was measured.")
    items: list[NearItem]
    searched: SearchedItems
