"""What is asked of a new key, and what keys answer."""

from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BaseModel, BeforeValidator, Field, StringConstraints, model_validator

from shared.auth.scopes import OF_A_PARTY, Scope
from shared.clock import verify_calendar_date
from shared.records.openings import OpenedEntry, Openings
from shared.schemas import WITHOUT_NUL, StrictModel

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=WITHOUT_NUL)]


class KeyRequest(StrictModel):
    """A key to be made."""

    name: Name = Field(description="What the key is for. It is not logged.")
    scopes: tuple[Scope, ...] = Field(min_length=1, max_length=50, fail_fast=True, description="What its holder may do.")
    party_id: str | None = Field(
        default=None,
        max_length=36,
        description="For which party it speaks: with `items:own` or `flags:owner`, and only then.",
    )
    expires_at: Annotated[AwareDatetime, BeforeValidator(verify_calendar_date)] | Literal["never"] | None = Field(
        default=None, description="When its time is over; in a year where nothing is said."
    )

    @model_validator(mode="after")
    def _speaks_for_one(self) -> Self:
        if (self.party_id is None) != OF_A_PARTY.isdisjoint(self.scopes):
            raise ValueError(f"expected a party with a scope of {sorted(OF_A_PARTY)}, and none without")
        return self


class KeyAnswer(BaseModel):
    """A key as recorded; the key itself is not."""

    id: str = Field(description="As it stands in the key, in logs and in entries.")
    name: str
    scopes: list[str]
    party_id: str | None
    state: Literal["active", "expired", "revoked"]
    created_by: str | None = Field(description="The key that made it; null where the command line did.")
    created_at: str
    expires_at: str | None
    revoked_at: str | None
    last_used_at: str | None = Field(description="To the hour.")


class KeyEntry(BaseModel):
    """An entry of the log that was made with a key; the opening of `by` proves it against the receipt."""

    index: int
    type: str
    at: str
    subject: dict[str, str]
    receipt: str
    opening: Openings

    @classmethod
    def of(cls, opened: OpenedEntry) -> Self:
        """Build the answer about an entry."""
        fields = {name: value for name, value in opened.answer_fields().items() if name != "body"}
        return cls(**fields, subject=opened.entry.subject)


class CreatedKey(KeyAnswer):
    """A key that was just made."""

    key: str | None = Field(description="Shown this once; null where the request was sent before.")
    receipt: str | None = Field(
        description="Proof that the log holds its creation (C2SP tlog-proof); null where the log could not be written."
    )
    opening: Openings
