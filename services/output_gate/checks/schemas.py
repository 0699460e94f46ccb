"""Checks as they are answered: one, several, a list, a job."""

from typing import Literal

from pydantic import BaseModel, Field

from services.output_gate.results.schemas import CheckResult, Outcome
from shared.http.problem_details import Problem
from shared.ledger.body_fields import MatchKind
from shared.records.jobs import JobState
from shared.records.openings import Openings


class CheckAnswer(CheckResult):
    """A check as answered: the result, where it is recorded, and the receipt (C2SP tlog-proof)."""

    id: str
    model: str
    generation_sha256: str
    decided_at: str
    flag_id: str | None = Field(description="The first of `flag_ids`: the flag for the item that decided.")
    flag_ids: list[str] = Field(
        description="The flags that the check, or its review, raised: for the item that decided, then for each further work "
        "that fires."
    )
    review: Literal["waiting", "confirm", "overturn"] | None = Field(
        description="Of a borderline check: whether a person has to look still, or what they said. Null for all others."
    )
    timings_ms: dict[str, float] = Field(description="Milliseconds by step, as far as recording; not part of the log.")
    receipt: str
    opening: Openings


class CheckSummary(BaseModel):
    """A check in a list."""

    id: str
    model: str
    generation_sha256: str
    decision: Outcome
    reason: str
    item: str | None = Field(description="The item that the score belongs to.")
    kind: MatchKind | None = Field(description="In which way the generation shows the item.")
    rule: str | None
    score: float | None
    p_value: float | None
    policy: str
    decided_at: str


class BatchedAnswer(BaseModel):
    """What became of one image of several: a check, or the problem that it had by itself."""

    position: int = Field(description="Place in the request, from 0.")
    name: str | None
    generation_sha256: str | None
    check: CheckAnswer | None
    problem: Problem | None


class BatchAnswer(BaseModel):
    """What became of several images: one entry for each, in the order of the request."""

    checks: list[BatchedAnswer]


class CheckJobError(BaseModel):
    """Why a job failed."""

    code: str
    message: str


class CheckJobAnswer(BaseModel):
    """A job of checks: how far it is and, once it is finished, what became of each image."""

    id: str
    state: JobState
    model: str
    done: int = Field(description="Images that have an outcome.")
    total: int
    counts: dict[str, int] = Field(description="How many of them came to what: a decision, or `refused`.")
    error: CheckJobError | None
    checks: list[BatchedAnswer] | None = Field(
        description="Null until the job is finished; an image of a cancelled job may have neither check nor problem."
    )
    created_at: str
    finished_at: str | None
