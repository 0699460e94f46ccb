"""Adopted policies as they are answered, and what a dry run found."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from shared.ledger.body_fields import MatchKind
from shared.records.openings import Openings

DryRunOutcome = Literal["clear", "flag", "borderline", "undecided"]


class PolicyAnswer(BaseModel):
    """An adopted policy; `content` is what it says."""

    id: str
    name: str
    version: int
    sha256: str
    in_force: bool = Field(description="Whether checks are decided by it now.")
    adopted_at: str
    content: dict[str, Any]


class ControlRun(BaseModel):
    """What a policy makes of one model's control, whose pictures are no copies."""

    model: str
    pictures: int = 0
    flagged: int = 0
    borderline: int = 0
    several_pictures: int = Field(
        default=0,
        description="Of the control's files, how many hold several frames or pages, as far as these were counted. The gate "
        "judges each of a generation's, at a share of the rate; of the control the first was judged. Transparency is not on "
        "record. Past checks of several pictures are under `not_decidable`.",
    )
    highest_score: float | None = Field(
        default=None,
        description="The highest score of exact copies of the model's training items, by the rule of a policy that gives its "
        "threshold; null where it gives a rate, or no item could be read.",
    )
    unreachable: bool = Field(default=False, description="Whether not even exact copies exceed the threshold.")
    not_decidable: str | None = Field(description="Code of why the control cannot be decided by this policy.")


class AdoptedPolicy(PolicyAnswer):
    """A policy as adopted, with the receipt of its entry."""

    receipt: str
    opening: Openings
    controls: list[ControlRun] = Field(
        default_factory=list, description="What the policy makes of each calibrated model's control, when it was adopted."
    )


class ProposedPolicy(BaseModel):
    """A policy that waits for another key: this server asks for two. It is adopted when another key sends the same policy."""

    state: Literal["proposed"] = "proposed"
    sha256: str
    approvals: int
    approvals_needed: int
    controls: list[ControlRun] = Field(description="What the policy makes of each calibrated model's control.")


class Change(BaseModel):
    """What a check, or the amount of its flag, would come to under the policy that was tried."""

    check_id: str
    item_id: str | None = Field(description="The item that the tried policy's rule names.")
    # Titled, or generated clients would name it as the schema `ChangeKind`.
    kind: MatchKind = Field(
        title="Match kind", description="Of the match by that rule; `unspecified` in checks before there were kinds."
    )
    before: DryRunOutcome
    after: DryRunOutcome
    score: float
    p_value: float
    amount_before: int | None = Field(description="Of the flag on record, in minor units.")
    amount_after: int | None = Field(description="By the tried policy's tariff, in minor units.")


class ChangeKind(BaseModel):
    """Changes of one kind, such as `clear_to_flag`, `flag_other_item` or `flag_other_amount`."""

    kind: str
    count: int
    changes: list[Change] = Field(description="The first of them, newest first; `count` is of all.")


class NotDecidable(BaseModel):
    """Checks that cannot be decided again from what was recorded, by reason."""

    reason: str
    count: int
    check_ids: list[str] = Field(description="The first of them, newest first; `count` is of all.")


class DryRun(BaseModel):
    """What past checks would come to under a policy; nothing is adopted, recorded or told."""

    policy_sha256: str
    controls: list[ControlRun] = Field(
        default_factory=list, description="What the policy makes of each calibrated model's control."
    )
    checks: int = Field(description="Past checks looked at.")
    unchanged: int
    further_flags: int = Field(
        default=0, description="Flags on record for further works of these checks; they are not decided again."
    )
    changed: list[ChangeKind]
    not_decidable: list[NotDecidable]
    more: bool = Field(description="Whether older checks were left out for the limit.")
