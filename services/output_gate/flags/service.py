"""Flags as the API and the command line use them: shown, listed, stepped with."""

from collections.abc import Sequence
from typing import Any

from sqlmodel import Session

from services.output_gate.flags.holds import cluster_of, find_holds, load_checks_of
from services.output_gate.flags.schemas import (
    FlagAnswer,
    FlagEntry,
    FlagHistory,
    FlagOwner,
    FlagStepAnswer,
    FlagStepRequest,
    OtherOwner,
)
from services.output_gate.flags.steps import RequestedStep, take_step
from services.output_gate.flags.visibility import own_flags_only, verify_role, verify_sees_flag
from services.output_gate.results.recorded import read_result
from shared.auth.caller import current_caller
from shared.clock import format_moment
from shared.http.entity_tags import verify_precondition
from shared.http.paging import Page, PageRequest
from shared.idempotency import once
from shared.ledger.openings import BODY
from shared.records.checks import Check, load_check
from shared.records.cluster_owners import ClusterParty, find_cluster_owners
from shared.records.flag_states import allowed_steps
from shared.records.flags import Flag, FlagStep, list_flags, load_flag, load_steps, lock_flag
from shared.records.openings import Openings, load_opened_entries, load_openings
from shared.records.parties import Party, load_parties
from shared.records.reviews import find_review
from shared.workspace import Workspace

OPERATION = "flags.step"


def step_flag(
    workspace: Workspace,
    flag_id: str,
    request: FlagStepRequest,
    *,
    idempotency_key: str | None = None,
    if_match: str | None = None,
) -> FlagAnswer:
    """Take a step with a flag, and return the flag as it stands then.

    Args:
        workspace: whose flag.
        flag_id: which flag.
        request: which step, in what role, and why.
        idempotency_key: sent again with it, the request takes no second step.
        if_match: the tag that the flag has to have still, as the field `If-Match` gives it; None for any.

    Raises:
        NotFoundError: no such flag.
        ForbiddenError: the caller may not act in this role, or on this flag.
        PreconditionError: the flag was changed since it was read.
        InputError: the role may not take the step, its reason is missing, or the policy does not know it.
        ConflictError: the flag's state, or what holds it, does not allow the step; nothing is known to pay; or the
            Idempotency-Key was used for another request.
    """

    def act(session: Session) -> str:
        flag = lock_flag(session, flag_id)
        verify_role(current_caller(), request.role, flag.shares)
        verify_precondition(if_match, lambda: build_flag_answer(session, flag))
        take_step(session, flag_id, RequestedStep.from_request(request))
        return flag_id

    once(workspace, OPERATION, idempotency_key, {"flag": flag_id, "body": request.model_dump(mode="json")}, act)
    return show_changed_flag(workspace, flag_id)


def show_changed_flag(workspace: Workspace, flag_id: str) -> FlagAnswer:
    """Return a flag after a change, once the log has the change.

    Raises:
        NotFoundError: no flag has this id.
    """
    workspace.log.integrate()
    with workspace.reading() as session:
        return build_flag_answer(session, load_flag(session, flag_id))


def show_flag(workspace: Workspace, flag_id: str) -> FlagAnswer:
    """Return a flag as it stands.

    Raises:
        NotFoundError: no flag has this id.
        ForbiddenError: the caller sees flags of a party only, and this one does not name it.
    """
    with workspace.reading() as session:
        flag = load_flag(session, flag_id)
        verify_sees_flag(current_caller(), flag.shares)
        return build_flag_answer(session, flag)


def page_of_flags(workspace: Workspace, page: PageRequest, **equal: str | None) -> Page[FlagAnswer]:
    """Return a page of the flags that the caller sees, oldest first; see `list_flags`.

    Raises:
        InputError: the cursor is none of ours.
    """
    party_id = own_flags_only(current_caller())
    with workspace.reading() as session:
        flags = list_flags(session, page.position, page.rows_to_load, owner_id=party_id, **equal)
        return page.build(flags, lambda flag: flag.id, lambda shown: build_flag_answers(session, shown))


def build_flag_history(workspace: Workspace, flag_id: str) -> FlagHistory:
    """Gather what the log says of a flag, the check that raised it first, each entry with its receipt.

    Raises:
        NotFoundError: no flag has this id.
        ForbiddenError: the caller sees flags of a party only, and this one does not name it.
    """
    with workspace.reading() as session:
        flag = load_flag(session, flag_id)
        verify_sees_flag(current_caller(), flag.shares)
        entry_ids = _list_entries(session, flag)
        # Callers who see their own flags only do not see who handled them, nor their notes.
        openings = load_openings(session, entry_ids, with_names=own_flags_only(current_caller()) is None)
    entries = load_opened_entries(workspace.log, entry_ids, openings)
    return FlagHistory(entries=[FlagEntry(**entry.answer_fields(), opened=_list_names(entry.opening)) for entry in entries])


def _list_entries(session: Session, flag: Flag) -> list[int]:
    """Return the ids of the entries about a flag, in their order."""
    review = find_review(session, flag.check_id)
    reviewed = [review.entry_id] if review is not None and review.entry_id is not None else []
    steps = [step.entry_id for step in load_steps(session, [flag.id])[flag.id]]
    return [load_check(session, flag.check_id).entry_id, *reviewed, flag.entry_id, *steps]


def _list_names(opening: Openings) -> dict[str, str]:
    """Return the names and notes among what opens an entry."""
    return {name: str(shown.value) for name, shown in opening.items() if not name.startswith(BODY)}


def build_flag_answer(session: Session, flag: Flag) -> FlagAnswer:
    """Build the answer about one flag."""
    return build_flag_answers(session, [flag])[0]


def build_flag_answers(session: Session, flags: Sequence[Flag]) -> list[FlagAnswer]:
    """Build the answers about flags, in their order."""
    checks = load_checks_of(session, flags)
    holds, steps = find_holds(session, flags, checks), load_steps(session, [flag.id for flag in flags])
    cluster_owners = find_cluster_owners(session, [cluster_of(flag, checks[flag.check_id]) for flag in flags])
    # Callers who see their own flags only see that others contest them, and not who: those items may not be theirs to see.
    names_others = current_caller().holds("flags:read")
    contesting = [[owner for owner in owners if owner.contests and names_others] for owners in cluster_owners]
    named = [share["party"] for flag in flags for share in flag.shares]
    parties = load_parties(session, [*named, *(owner.party_id for owners in contesting for owner in owners)])
    return [
        _build_answer(flag, holds[flag.id], steps[flag.id], parties, checks[flag.check_id], others)
        for flag, others in zip(flags, contesting, strict=True)
    ]


def _build_answer(
    flag: Flag,
    held: str | None,
    steps: Sequence[FlagStep],
    parties: dict[str, Party],
    check: Check,
    contesting: Sequence[ClusterParty],
) -> FlagAnswer:
    fields: dict[str, Any] = flag.model_dump(
        include={"id", "check_id", "item_id", "kind", "state", "currency", "amount_minor"}
    )
    return FlagAnswer.model_validate(
        fields
        | {
            "policy": read_result(check).policy,
            "held": held,
            "owners": [_describe_owner(share, parties) for share in flag.shares],
            "other_owners": [
                OtherOwner(party_id=owner.party_id, name=parties[owner.party_id].name, items=owner.items)
                for owner in contesting
            ],
            "raised_at": format_moment(flag.created_at),
            "steps": [_describe_step(step) for step in steps],
            "next_steps": allowed_steps(flag.state, held, amount_known=flag.amount_minor is not None),
        }
    )


def _describe_owner(share: dict[str, Any], parties: dict[str, Party]) -> FlagOwner:
    party = parties[share["party"]]
    return FlagOwner(party_id=party.id, name=party.name, share=share["share"], amount_minor=share.get("amount_minor"))


def _describe_step(step: FlagStep) -> FlagStepAnswer:
    fields = step.model_dump(include={"step", "role", "state"})
    return FlagStepAnswer.model_validate(fields | {"at": format_moment(step.created_at)})
