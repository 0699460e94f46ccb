"""Steps with a flag, and what a flag answers."""

from typing import Any, Literal, Self

from pydantic import BaseModel, Field, model_validator

from shared.ledger.body_fields import Amount, Currency, MatchKind
from shared.records.flag_states import STEPS, FlagRole, State, StepName
from shared.records.openings import Openings
from shared.schemas import StrictModel, Text

# What is left to `POST /v1/flags/{id}/steps`; verdicts have a route of their own.
TakenStep = Literal["notify", "accept", "dispute", "assess", "hold", "release", "pay", "waive"]


class FlagStepRequest(StrictModel):
    """A step with a flag."""

    step: TakenStep
    role: FlagRole = Field(description="In what role the step is taken; the log holds a salted commitment to it.")
    reason: Text | None = Field(
        default=None,
        description="Why, in words that name nobody; the log commits to it. To waive, one of the policy's `waiver_reasons`.",
    )
    name: Text | None = Field(default=None, description="Who takes the step; the log holds a salted commitment to the name.")
    note: Text | None = Field(default=None, description="Anything else; the log holds a salted commitment to it.")
    currency: Currency | None = Field(default=None, description="Of `assess` only.")
    amount_minor: Amount | None = Field(default=None, description="Of `assess` only: the flag's new amount, in minor units.")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if STEPS[self.step].needs_reason and self.reason is None:
            raise ValueError(f"expected a reason to {self.step} a flag")
        if (self.step == "assess") != (self.currency is not None and self.amount_minor is not None):
            raise ValueError("expected currency and amount_minor with assess, and with no other step")
        if self.step != "assess" and (self.currency is not None or self.amount_minor is not None):
            raise ValueError("expected currency and amount_minor with assess, and with no other step")
        return self


class FlagOwner(BaseModel):
    """An owner's part of a flag."""

    party_id: str
    name: str
    share: float = Field(description="At most six decimals; the shares of a flag sum to exactly 1.")
    amount_minor: int | None = Field(description="In minor units; the amounts sum to exactly the flag's. Null without one.")


class OtherOwner(BaseModel):
    """An owner whom near duplicates of the item name, and no item of its bytes."""

    party_id: str
    name: str
    items: list[str] = Field(description="The near duplicates that name them.")


class FlagStepAnswer(BaseModel):
    """One step of a flag's history."""

    step: StepName
    role: str
    state: State = Field(description="After the step.")
    at: str


class FlagAnswer(BaseModel):
    """A flag as it stands, with its history in short; `/history` has the entries with their receipts."""

    id: str
    check_id: str
    item_id: str
    kind: MatchKind | None = Field(
        description="In which way the generation shows the item; null in flags before there were kinds."
    )
    policy: str
    state: State
    held: str | None = Field(description="Code of what keeps the flag from being paid; null where nothing does.")
    currency: str | None
    amount_minor: int | None
    owners: list[FlagOwner]
    other_owners: list[OtherOwner] = Field(
        description="Whom near duplicates of the item name beside them: `contested_cluster` holds the flag until a release. "
        "Left out for callers who see their own flags only."
    )
    raised_at: str
    steps: list[FlagStepAnswer]
    next_steps: list[StepName] = Field(description="What may be done now, by whoever may do it.")


class FlagEntry(BaseModel):
    """What the log says of a flag at one index, with the proof; names and notes as far as they are not erased."""

    index: int
    type: str
    at: str
    body: dict[str, Any]
    opened: dict[str, str] = Field(description="Values that the entry commits to, by field.")
    receipt: str
    opening: Openings


class FlagHistory(BaseModel):
    """Every entry about a flag, the check that raised it first."""

    entries: list[FlagEntry]
