"""Flags as they are answered, one or a page of them."""

from collections.abc import Sequence

from sqlmodel import Session, col, select

from services.output_gate.flags.holds import cluster_of, find_holds, load_checks_of
from services.output_gate.flags.schemas import FlagAnswer, FlagEntry, FlagHistory, FlagOwner, FlagStepAnswer, OtherOwner
from services.output_gate.flags.visibility import own_flags_only, verify_sees_flag
from shared.auth.caller import current_caller
from shared.clock import format_moment
from shared.http.paging import Page, decode_cursor, encode_cursor
from shared.ledger.entries import parse_entry
from shared.records.checks import Check, load_check
from shared.records.cluster_owners import ClusterParty, find_cluster_owners
from shared.records.flag_states import allowed_steps
from shared.records.flags import Flag, FlagStep, list_flags, load_flag, load_steps
from shared.records.items import Commitment
from shared.records.parties import Party, load_parties
from shared.records.reviews import find_review
from shared.workspace import Workspace


def build_flag_answers(session: Session, flags: Sequence[Flag]) -> list[FlagAnswer]:
    """Build the answers about flags, in their order."""
    checks = load_checks_of(session, flags)
    holds, steps = find_holds(session, flags, checks), load_steps(session, [flag.id for flag in flags])
    found = find_cluster_owners(session, [cluster_of(flag, checks[flag.check_id]) for flag in flags])
    # Who is kept to its own flags sees that others contest them, and not who: their items may not be its to see.
    names_others = current_caller().holds("flags:read")
    contesting = [[owner for owner in owners if owner.contests and names_others] for owners in found]
    named = [share["party"] for flag in flags for share in flag.shares]
    parties = load_parties(session, [*named, *(one.party_id for owners in contesting for one in owners)])
    return [
        _answer(flag, holds[flag.id], steps[flag.id], parties, checks[flag.check_id], others)
        for flag, others in zip(flags, contesting, strict=True)
    ]


def build_flag_answer(session: Session, flag: Flag) -> FlagAnswer:
    """Build the answer about one flag."""
    return build_flag_answers(session, [flag])[0]


def _answer(
    flag: Flag,
    held: str | None,
    steps: Sequence[FlagStep],
    parties: dict[str, Party],
    check: Check,
    contesting: Sequence[ClusterParty],
) -> FlagAnswer:
    owners = [
        FlagOwner(
            party_id=one["party"],
            name=parties[one["party"]].name,
            share=one["share"],
            amount_minor=one.get("amount_minor"),
        )
        for one in flag.shares
    ]
    others = [OtherOwner(party_id=one.party_id, name=parties[one.party_id].name, items=one.items) for one in contesting]
    taken = [
        FlagStepAnswer.model_validate(
            {"step": one.step, "role": one.role, "state": one.state, "at": format_moment(one.created_at)}
        )
        for one in steps
    ]
    return FlagAnswer.model_validate(
        {
            "id": flag.id,
            "check_id": flag.check_id,
            "item_id": flag.item_id,
            "kind": flag.kind,
            "policy": check.result["policy"],
            "state": flag.state,
            "held": held,
            "currency": flag.currency,
            "amount_minor": flag.amount_minor,
            "owners": owners,
            "other_owners": others,
            "raised_at": format_moment(flag.created_at),
            "steps": taken,
            "next_steps": allowed_steps(flag.state, held),
        }
    )


def page_of_flags(workspace: Workspace, cursor: str | None, limit: int, **equal: str | None) -> Page[FlagAnswer]:
    """Return a page of the flags that the caller sees, oldest first; see `list_flags`.

    Raises:
        InputError: the cursor is none of ours.
    """
    after = decode_cursor(cursor) if cursor else ""
    with workspace.reading() as session:
        found = list_flags(session, after, limit + 1, owner_id=own_flags_only(current_caller()), **equal)
        shown = build_flag_answers(session, found[:limit])
    return Page(items=shown, next_cursor=encode_cursor(found[limit - 1].id) if len(found) > limit else None)


def build_flag_history(workspace: Workspace, flag_id: str) -> FlagHistory:
    """Gather what the log says of a flag, the check that raised it first, each entry with its receipt.

    Raises:
        NotFoundError: no flag has this id.
        ForbiddenError: the caller sees flags of a party only, and this one does not name it.
    """
    party = own_flags_only(current_caller())
    with workspace.reading() as session:
        flag = load_flag(session, flag_id)
        verify_sees_flag(current_caller(), flag.shares)
        review = find_review(session, flag.check_id)
        reviewed = [review.entry_id] if review is not None and review.entry_id is not None else []
        steps = [step.entry_id for step in load_steps(session, [flag_id])[flag_id]]
        entry_ids = [load_check(session, flag.check_id).entry_id, *reviewed, flag.entry_id, *steps]
        opened: dict[int, dict[str, str]] = {entry_id: {} for entry_id in entry_ids}
        # Who is kept to its own flags is not told who handled them, nor what they noted.
        for one in () if party else session.exec(select(Commitment).where(col(Commitment.entry_id).in_(entry_ids))):
            opened[one.entry_id][one.field] = one.value
    entries = []
    for entry_id, receipt in zip(entry_ids, workspace.log.receipts(entry_ids), strict=True):
        index = workspace.log.index_of(entry_id)
        entry = parse_entry(workspace.log.entry(index))
        shown = {"index": index, "type": entry.type, "at": entry.at, "body": dict(entry.body)}
        entries.append(FlagEntry.model_validate(shown | {"opened": opened[entry_id], "receipt": receipt}))
    return FlagHistory(entries=entries)
