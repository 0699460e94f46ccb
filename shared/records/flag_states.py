"""The life of a flag: which step may follow in which state, and who may take it. Nothing here does I/O.

raised → reviewed → notified → accepted | disputed → paid | waived; an overturned flag ends at its review.

Rules, in order:

1. A step that its state does not allow is a conflict; a role that may not take it is unusable input.
2. `assess`, `hold` and `release` leave the state as it is: they change the amount, or whether it may be paid.
3. What is held cannot be paid, whatever its state, until it is released for a reason.
4. Who never answers is no reason to pay: from `notified` a flag is answered or waived.
5. Nothing is paid without an amount. An owner may accept before the amount is known: it is assessed afterwards. An amount that
   was accepted is changed no more.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from shared.errors import ConflictError, InputError

State = Literal["raised", "reviewed", "overturned", "notified", "accepted", "disputed", "paid", "waived"]
StepName = Literal["confirm", "overturn", "notify", "accept", "dispute", "assess", "hold", "release", "pay", "waive"]
FlagRole = Literal["reviewer", "compliance", "finance", "owner"]

ENDED: frozenset[State] = frozenset({"overturned", "paid", "waived"})
OPEN: frozenset[State] = frozenset(get_args(State)) - ENDED


@dataclass(frozen=True)
class Step:
    """A step: in which states it may be taken, to which it leads (None: it stays), by which roles, under which entry type."""

    entry_type: str
    before: frozenset[State]
    after: State | None
    roles: frozenset[FlagRole]
    needs_reason: bool


def _step(
    entry_type: str, before: tuple[State, ...], after: State | None, roles: tuple[FlagRole, ...], *, reason: bool = False
) -> Step:
    return Step(entry_type, frozenset(before), after, frozenset(roles), reason)


STEPS: Mapping[StepName, Step] = {
    "confirm": _step("flag.reviewed", ("raised",), "reviewed", ("reviewer",)),
    "overturn": _step("flag.reviewed", ("raised",), "overturned", ("reviewer",), reason=True),
    "notify": _step("flag.notified", ("reviewed",), "notified", ("reviewer", "compliance")),
    # An owner answers by letter as well: compliance then puts the answer on record.
    "accept": _step("flag.answered", ("notified", "disputed"), "accepted", ("owner", "compliance")),
    "dispute": _step("flag.answered", ("notified",), "disputed", ("owner", "compliance"), reason=True),
    "assess": _step(
        "flag.assessed", ("reviewed", "notified", "disputed", "accepted"), None, ("compliance", "finance"), reason=True
    ),
    "hold": _step("flag.held", tuple(OPEN), None, ("reviewer", "compliance", "finance"), reason=True),
    "release": _step("flag.released", tuple(OPEN), None, ("compliance",), reason=True),
    "pay": _step("flag.resolved", ("accepted", "disputed"), "paid", ("finance",)),
    # From `reviewed` as well, since an owner whom nobody knows cannot be notified.
    "waive": _step(
        "flag.resolved", ("reviewed", "notified", "accepted", "disputed"), "waived", ("compliance", "owner"), reason=True
    ),
}


def allowed_steps(state: str, held: str | None, *, amount_known: bool) -> list[StepName]:
    """Return the steps that may be taken with a flag now, by whoever may take them.

    >>> allowed_steps("raised", None, amount_known=True)
    ['confirm', 'overturn', 'hold']
    >>> allowed_steps("accepted", None, amount_known=False)
    ['assess', 'hold', 'waive']
    """
    barred: set[StepName] = {"release"} if held is None else {"pay", "hold"}
    if not amount_known:
        barred.add("pay")
    elif state == "accepted":
        barred.add("assess")
    return [name for name, step in STEPS.items() if state in step.before and name not in barred]


def next_state(state: str, name: StepName, role: FlagRole, held: str | None, *, amount_known: bool) -> State:
    """Say to which state a step leads.

    Args:
        state: of the flag now.
        name: the step.
        role: of who takes it.
        held: code of what holds the flag; None where nothing does.
        amount_known: whether the flag has an amount.

    Raises:
        InputError: the role may not take this step.
        ConflictError: the state, what holds the flag, or its amount does not allow it.

    >>> next_state("raised", "confirm", "reviewer", None, amount_known=False)
    'reviewed'
    """
    step = STEPS[name]
    if role not in step.roles:
        raise InputError(f"expected one of {sorted(step.roles)} to {name} a flag, got {role!r}", code="role_not_allowed")
    now = next((member for member in get_args(State) if member == state), None)
    if now is None or now not in step.before:
        raise ConflictError(
            f"a flag can be brought to {name} in the states {sorted(step.before)}, this one is {state}",
            code="step_not_allowed",
        )
    if name == "pay" and held is not None:
        raise ConflictError(f"the flag is held ({held}); expected a release before it is paid", code="flag_held")
    if name == "pay" and not amount_known:
        raise ConflictError("expected a flag with an amount to pay, got one that is to be assessed", code="amount_unknown")
    if name == "assess" and now == "accepted" and amount_known:
        raise ConflictError("the amount was accepted; expected a flag whose amount is still open", code="amount_accepted")
    if name == "hold" and held is not None:
        raise ConflictError(f"the flag is held already ({held})", code="flag_held")
    if name == "release" and held is None:
        raise ConflictError("expected a flag that is held, got one that is not", code="flag_not_held")
    return step.after or now
