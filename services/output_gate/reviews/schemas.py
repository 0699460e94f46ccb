"""Verdicts, and what waits for one."""

from typing import Literal

from pydantic import BaseModel, Field

from shared.ledger.body_fields import MatchKind
from shared.records.openings import Openings
from shared.schemas import StrictModel, Text

ReviewVerdict = Literal["confirm", "overturn"]


class ReviewRequest(StrictModel):
    """A reviewer's verdict: `confirm`, it is a copy; `overturn`, it is none."""

    verdict: ReviewVerdict
    reason: Text | None = Field(
        default=None,
        description="Why, in words that name nobody; the log commits to them. Needed to overturn a flag.",
    )
    name: Text | None = Field(default=None, description="Who reviewed; the log holds a salted commitment to the name.")
    note: Text | None = Field(default=None, description="Anything else; the log holds a salted commitment to it.")


class OpenReview(BaseModel):
    """What waits for a verdict, and the figures that it was put there for."""

    id: str = Field(description="Of the flag or check.")
    kind: Literal["flag", "check"]
    check_id: str
    opened_at: str
    model_id: str
    generation_sha256: str
    item_id: str
    match_kind: MatchKind = Field(description="How the picture is like the item; docs/methods/decision.md.")
    rule: str
    score: float
    p_value: float
    threshold: float = Field(description="Score above which a flag fires.")
    borderline_threshold: float | None = Field(description="Score above which a person looks.")
    policy: str


class CheckReviewAnswer(BaseModel):
    """The verdict on a borderline check, and the flags that it raised, if it raised any."""

    check_id: str
    verdict: ReviewVerdict
    role: str
    at: str
    flag_id: str | None = Field(description="The first of `flag_ids`.")
    flag_ids: list[str] = Field(description="Of the item that decided, then of each further work that fires.")
    receipt: str
    opening: Openings
