"""Taking a step with a flag: what it changes, the entry that records it, and the messages about it.

Rules, in order:

1. `shared.records.flag_states` says which step may follow on which. This module says what a step does.
2. A flag is held by what its `held` says, and by an ownership that came to be contested after it was raised, by equal bytes
   or by near duplicates of the item, unless that very contest was released before.
3. A release names the owners as they are presumed by then; where nobody knows any, there is nothing to release to.
4. Nothing is paid without an amount. A policy that lists reasons for waiving allows no others.
"""

from dataclasses import dataclass
from typing import Any, Self

from sqlmodel import Session

from services.output_gate.audit_events import Actor, log_audit_event
from services.output_gate.flags.creation import CONTESTED, CONTESTED_CLUSTER, UNKNOWN_OWNER, build_event_data, presumed_shares
from services.output_gate.flags.holds import cluster_of
from services.output_gate.flags.schemas import FlagStepRequest
from services.output_gate.flags.shares import with_amounts
from services.output_gate.policy.policy import content_of
from services.output_gate.webhooks.outbox import queue_event
from shared.clock import utc_now
from shared.errors import ConflictError, InputError
from shared.ledger.body_fields import EntryBody
from shared.ledger.output_bodies import (
    FlagAnswered,
    FlagAssessed,
    FlagHeld,
    FlagNotified,
    FlagReleased,
    FlagResolved,
    FlagReviewed,
)
from shared.records.checks import load_check
from shared.records.cluster_owners import are_contested_clusters
from shared.records.flag_states import OPEN, STEPS, FlagRole, State, StepName, next_state
from shared.records.flags import Flag, FlagStep, lock_flag
from shared.records.item_owners import is_contested
from shared.records.items import load_item
from shared.records.policies import load_policy
from shared.records.reviews import lock_review

ON_HOLD = "on_hold"


@dataclass(frozen=True)
class RequestedStep:
    """A step that somebody wants to take.

    Args:
        name: which step.
        role: in what role it is taken.
        reason: why, in words that name nobody.
        actor_name: who takes it; the log only commits to it.
        note: anything else; the log only commits to it.
        currency: of `assess`.
        amount_minor: of `assess`, in minor units.
    """

    name: StepName
    role: FlagRole
    reason: str | None = None
    actor_name: str | None = None
    note: str | None = None
    currency: str | None = None
    amount_minor: int | None = None

    @classmethod
    def from_request(cls, request: FlagStepRequest) -> Self:
        """Return the step that a request asks for."""
        return cls(
            request.step,
            request.role,
            request.reason,
            request.name,
            request.note,
            request.currency,
            request.amount_minor,
        )


def take_step(session: Session, flag_id: str, step: RequestedStep) -> Flag:
    """Take a step with a flag and log it, in the caller's transaction.

    Args:
        session: an open transaction; nothing is committed here.
        flag_id: which flag.
        step: what is to be done.

    Raises:
        NotFoundError: no such flag.
        InputError: the role may not take the step, its reason is missing, or the policy does not know it.
        ConflictError: the flag's state, or what holds it, does not allow the step; or nothing is known to pay.
    """
    flag = lock_flag(session, flag_id)
    hold = find_current_hold(session, flag)
    state = next_state(flag.state, step.name, step.role, hold, amount_known=flag.amount_minor is not None)
    if STEPS[step.name].needs_reason and step.reason is None:
        raise InputError(f"expected a reason to {step.name} a flag, got none", code="reason_missing")
    _change(session, flag, step, hold)
    now = utc_now()
    body = _build_body(flag, step, state, hold)
    actor, subject = Actor(step.role, step.actor_name, step.note), {"flag": flag.id, "check": flag.check_id}
    entry_id = log_audit_event(session, actor, subject, body, now)
    flag.state = state
    session.add(flag)
    session.add(FlagStep(entry_id=entry_id, flag_id=flag.id, step=step.name, role=step.role, state=state, created_at=now))
    if step.name in {"confirm", "overturn"}:
        review = lock_review(session, flag.id)
        review.verdict, review.role, review.entry_id, review.closed_at = step.name, step.role, entry_id, now
        session.add(review)
    session.flush()
    queue_event(session, body.entry_type, build_event_data(flag) | {"step": step.name, "role": step.role}, now)
    return flag


def find_current_hold(session: Session, flag: Flag) -> str | None:
    """Return the code of what holds a flag by now, or None; see rule 2."""
    if flag.state not in OPEN or flag.held is not None:
        return flag.held
    if not flag.contest_released and is_contested(session, load_item(session, flag.item_id).blob_sha256):
        return CONTESTED
    if flag.cluster_released:
        return None
    [contested] = are_contested_clusters(session, [cluster_of(flag, load_check(session, flag.check_id))])
    return CONTESTED_CLUSTER if contested else None


def _change(session: Session, flag: Flag, step: RequestedStep, hold: str | None) -> None:
    """Change what a step changes beside the state."""
    if step.name == "hold":
        flag.held = ON_HOLD
    elif step.name == "release":
        _release(session, flag, hold)
    elif step.name == "assess":
        if step.currency is None or step.amount_minor is None:
            raise InputError("expected currency and amount to assess a flag, got none", code="amount_missing")
        flag.currency, flag.amount_minor = step.currency, step.amount_minor
        flag.shares = with_amounts(flag.shares, step.amount_minor)
    elif step.name == "waive":
        _verify_waiver(session, flag, step.reason)


def _release(session: Session, flag: Flag, hold: str | None) -> None:
    content = content_of(load_policy(session, load_check(session, flag.check_id).policy_id))
    shares = presumed_shares(session, flag.item_id, content, flag.amount_minor)
    if not shares:
        raise ConflictError("expected an owner of the item to release the flag to, none is presumed yet", code=UNKNOWN_OWNER)
    flag.shares, flag.held = shares, None
    flag.contest_released = flag.contest_released or hold == CONTESTED
    flag.cluster_released = flag.cluster_released or hold == CONTESTED_CLUSTER


def _verify_waiver(session: Session, flag: Flag, reason: str | None) -> None:
    content = content_of(load_policy(session, load_check(session, flag.check_id).policy_id))
    if content.waiver_reasons is not None and reason not in content.waiver_reasons:
        raise InputError(f"expected one of the reasons {list(content.waiver_reasons)}, got {reason!r}", code="waiver_reason")


def _build_body(flag: Flag, step: RequestedStep, state: State, hold: str | None) -> EntryBody:
    amount: dict[str, Any] = {"currency": flag.currency, "amount_minor": flag.amount_minor}
    bodies: dict[str, tuple[type[EntryBody], dict[str, Any]]] = {
        "flag.reviewed": (FlagReviewed, {"verdict": step.name}),
        "flag.notified": (FlagNotified, {}),
        "flag.answered": (FlagAnswered, {"answer": state}),
        "flag.assessed": (FlagAssessed, amount | {"owners": flag.shares}),
        "flag.held": (FlagHeld, {"held": flag.held}),
        "flag.released": (FlagReleased, {"released": hold, "owners": flag.shares}),
        "flag.resolved": (FlagResolved, amount | {"outcome": state}),
    }
    model, fields = bodies[STEPS[step.name].entry_type]
    return model.model_validate({"role": step.role, "reason": step.reason} | fields)
