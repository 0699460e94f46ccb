"""What a count of completeness answers."""

from datetime import datetime

from pydantic import BaseModel, Field

from services.output_gate.completeness.count import Completeness
from shared.clock import timestamp, utc_now

# Gaps and open flags that are named; all are counted.
NAMED = 1000
SECONDS_A_DAY = 86_400


class GapAnswer(BaseModel):
    """Something that is missing, or there twice."""

    kind: str
    subject: str = Field(description="Id of the check, flag or batch.")
    index: int | None = Field(description="Of the log's entry, if it is about one.")
    detail: str


class OpenFlagAnswer(BaseModel):
    """A flag without an outcome yet."""

    flag: str
    check: str
    state: str
    raised_at: str
    age_days: float


class CompletenessAnswer(BaseModel):
    """Whether every check has one decision and every flag one outcome, counted from the log and held against the database."""

    complete: bool = Field(description="No gap. Open flags are no gap: they are named with their age.")
    counted_at: str
    log_size: int = Field(description="Entries counted.")
    checks: int
    decisions: dict[str, int]
    flags: int = Field(description="Flags raised.")
    outcomes: dict[str, int] = Field(description="Flags that ended, by outcome.")
    open_flags: int
    oldest_open: list[OpenFlagAnswer] = Field(description=f"The oldest {NAMED} of them.")
    waiting: int = Field(description="Images that a job was acknowledged to decide and still works on.")
    gap_counts: dict[str, int] = Field(description="Gaps by kind.")
    gaps: list[GapAnswer] = Field(description=f"The first {NAMED} of them.")


def build_completeness_answer(completeness: Completeness) -> CompletenessAnswer:
    """Describe what was counted."""
    recount, now = completeness.recount, utc_now()
    decisions: dict[str, int] = {}
    for (decision, _), count in recount.decisions.items():
        decisions[decision] = decisions.get(decision, 0) + count
    oldest = sorted(recount.open_flags.items(), key=lambda item: (item[1].raised_at, item[0]))[:NAMED]
    kinds: dict[str, int] = {}
    for gap in completeness.gaps:
        kinds[gap.kind] = kinds.get(gap.kind, 0) + 1
    return CompletenessAnswer(
        complete=completeness.is_complete,
        counted_at=timestamp(now),
        log_size=recount.size,
        checks=sum(decisions.values()),
        decisions=decisions,
        flags=recount.raised,
        outcomes=dict(recount.outcomes),
        open_flags=len(recount.open_flags),
        oldest_open=[
            OpenFlagAnswer(
                flag=flag_id,
                check=flag.check,
                state=flag.state,
                raised_at=flag.raised_at,
                age_days=round((now - datetime.fromisoformat(flag.raised_at)).total_seconds() / SECONDS_A_DAY, 2),
            )
            for flag_id, flag in oldest
        ],
        waiting=completeness.waiting,
        gap_counts=kinds,
        gaps=[GapAnswer(**vars(gap)) for gap in completeness.gaps[:NAMED]],
    )
