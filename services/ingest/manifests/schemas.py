"""What is asked of a manifest and what is answered."""

from typing import Literal, Self

from pydantic import BaseModel, Field, model_validator

from shared.clock import format_moment
from shared.records.manifests import Manifest
from shared.records.openings import Openings
from shared.schemas import StrictModel


class SealRequest(StrictModel):
    """What to seal: items by id, or every active item of a data set that no signal denies."""

    name: str = Field(min_length=1, max_length=100)
    purpose: Literal["train", "control"]
    items: tuple[str, ...] | None = Field(default=None, min_length=1, max_length=1_000_000, fail_fast=True)
    dataset: str | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.items is None) == (self.dataset is None):
            raise ValueError("expected either items or dataset")
        return self


class ManifestSummary(BaseModel):
    """A manifest in a list."""

    id: str
    name: str
    purpose: str
    size: int
    root: str
    sealed_at: str


class ManifestAnswer(BaseModel):
    """A manifest as sealed."""

    id: str
    name: str
    purpose: str
    size: int
    root: str
    receipt: str
    opening: Openings


class LeafAnswer(BaseModel):
    """One leaf: digest of the item's bytes, leaf hash of its registration entry, its id."""

    blob: str
    entry: str
    item: str


def build_summary(manifest: Manifest) -> ManifestSummary:
    """Describe a manifest in a list."""
    fields = manifest.model_dump(include={"id", "name", "purpose", "size", "root"})
    return ManifestSummary(**fields, sealed_at=format_moment(manifest.created_at))
