"""An item in the API: what a registration says of it, and what is answered about it."""

from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from shared.canonical import canonical_json
from shared.clock import verify_calendar_date
from shared.errors import InputError
from shared.records.openings import Openings
from shared.schemas import StrictModel, Text

Url = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^https?://[^\s\x00]+$", max_length=2000)]
OwnerRole = Literal["creator", "photographer", "publisher", "rightsholder", "licensor"]
ArchivalState = Literal["verified", "drifted", "missing", "unchecked"]


def _to_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC).replace(microsecond=moment.microsecond // 1000 * 1000)
    except OverflowError as error:  # a few hours beyond the first or the last year
        raise ValueError("expected a time in the years 1 to 9999 of UTC") from error


Moment = Annotated[AwareDatetime, BeforeValidator(verify_calendar_date), AfterValidator(_to_utc)]
Day = Annotated[date, BeforeValidator(verify_calendar_date)]


def _has_zero(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_has_zero(name) or _has_zero(part) for name, part in value.items())
    if isinstance(value, (list, tuple)):
        return any(map(_has_zero, value))
    return isinstance(value, str) and "\0" in value


class ArchivalLink(StrictModel):
    """A Robust Link: where the work is, where a snapshot of it is, and of which day."""

    original_url: Url
    snapshot_url: Url | None = None
    version_date: Day | None = None


class PresumedOwner(StrictModel):
    """Who is presumed to own an item, in which role, on what basis, how sure."""

    name: Text
    url: Url | None = None
    role: OwnerRole = "creator"
    basis: Text = Field(description="Where the name comes from, e.g. `dataset metadata`.")
    confidence: float = Field(ge=0, le=1, strict=True, description="0 guessed … 1 certain.")


class DiligenceSearch(StrictModel):
    """One search for the owner."""

    source: Text = Field(description="What was searched.")
    query: Text | None = None
    searched_at: Moment
    jurisdiction: Text | None = None
    result: Text
    expires_at: Moment | None = None


class Registration(StrictModel):
    """The record of one item, without its bytes."""

    dataset: Text
    source_key: Text = Field(description="The item's name in its source, unique in the dataset.")
    title: Text | None = None
    licence: Text = Field(description="SPDX expression, or LicenseRef-….")
    licence_url: Url | None = None
    source_url: Url | None = None
    archival_link: ArchivalLink | None = None
    acquired_from: Text | None = Field(default=None, description="Where the bytes were obtained, if not the source.")
    acquirer: Text = Field(description="Who is responsible for obtaining the item.")
    acquired_at: Moment | None = Field(default=None, description="The time of registration where it is not given.")
    owners: tuple[PresumedOwner, ...] = Field(default=(), max_length=100, fail_fast=True)
    diligence: tuple[DiligenceSearch, ...] = Field(default=(), max_length=100, fail_fast=True)
    training_permission: Text | None = Field(
        default=None, description="The agreement that permits training although a rights signal in the image denies it."
    )
    extra: dict[str, Any] = Field(default_factory=dict, description="Further columns of the source, kept as they are.")

    @field_validator("extra")
    @classmethod
    def _is_storable(cls, extra: dict[str, Any]) -> dict[str, Any]:
        try:
            text = canonical_json(extra)
            has_zero = rb"\u0000" in text and _has_zero(extra)
        except (InputError, RecursionError) as error:
            raise ValueError("expected finite numbers, exact integers and whole characters, not too deep") from error
        if has_zero:
            raise ValueError("expected text without zero characters")
        return extra

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        link = self.archival_link
        if link is not None and self.source_url not in {None, link.original_url}:
            raise ValueError(f"source_url {self.source_url} is not the archival link's original_url {link.original_url}")
        return self

    def identity(self) -> dict[str, Any]:
        """What makes two registrations the same record: everything but the times of doing."""
        content = self.model_dump(mode="json", exclude={"acquired_at", "diligence"})
        searches = [search.model_dump(mode="json", exclude={"searched_at"}) for search in self.diligence]
        return {**content, "diligence": searches}


class OwnerAnswer(BaseModel):
    """A presumed owner as recorded."""

    party_id: str
    name: str
    url: str | None
    role: str
    basis: str
    confidence: float


class SignalAnswer(BaseModel):
    """A rights signal as recorded."""

    kind: str
    verdict: str
    raw_sha256: str
    detail: dict[str, Any]
    observed_at: str


class DiligenceAnswer(BaseModel):
    """A search for the owner as recorded; what only later searches say is null for those of a registration."""

    search_id: str | None
    sources: list[str]
    query: str | None
    searched_by: str | None
    searched_at: str
    jurisdiction: str | None
    work_category: str | None
    result: str
    note: str | None
    expires_at: str | None
    expired: bool = Field(description="Whether it no longer counts.")


class ItemAnswer(BaseModel):
    """An item as recorded."""

    id: str
    dataset: str
    source_key: str
    sha256: str
    media_type: str
    width_px: int
    height_px: int
    frames: int | None = Field(description="How many pictures the file holds, where more than one; the first was registered.")
    title: str | None
    licence: str
    licence_url: str | None
    source_url: str | None
    archival_link: dict[str, Any] | None
    acquired_from: str | None
    acquired_at: str
    acquirer: str
    owners: list[OwnerAnswer]
    contested: bool
    rights_verdict: str
    training_permission: str | None
    signals: list[SignalAnswer]
    diligence: list[DiligenceAnswer]
    state: str
    extra: dict[str, Any]


class RegistrationAnswer(BaseModel):
    """What a registration gives back: the record, whether it is new, and the receipt (C2SP tlog-proof)."""

    item: ItemAnswer
    created: bool
    receipt: str
    opening: Openings


class EntryAnswer(BaseModel):
    """One log entry about an item."""

    index: int
    type: str
    at: str
    body: dict[str, Any]
    receipt: str
    opening: Openings


class History(BaseModel):
    """Everything that the log says of an item, oldest first."""

    entries: list[EntryAnswer]
