"""Adopted policies turned into answers."""

from sqlmodel import Session

from services.output_gate.policy.policy import content_of
from services.output_gate.policy.schemas import AdoptedPolicy, PolicyAnswer
from shared.clock import format_moment
from shared.http.paging import Page, decode_cursor, encode_cursor
from shared.records.policies import Policy, find_policy_in_force, list_policies, load_newest_policy, load_policy
from shared.workspace import Workspace


def build_policy_answer(policy: Policy, in_force: Policy | None) -> PolicyAnswer:
    """Build the answer about a policy.

    Raises:
        CorruptStateError: what is on record is not what was adopted.
    """
    return PolicyAnswer(
        id=policy.id,
        name=policy.name,
        version=policy.version,
        sha256=policy.sha256,
        in_force=in_force is not None and in_force.id == policy.id,
        adopted_at=format_moment(policy.created_at),
        content=content_of(policy).recorded(),
    )


def build_adopted(workspace: Workspace, policy_id: str) -> AdoptedPolicy:
    """Build the answer about a policy, with the receipt of its adoption.

    Raises:
        NotFoundError: no policy has this id.
    """
    with workspace.reading() as session:
        policy = load_policy(session, policy_id)
        answer = build_policy_answer(policy, find_policy_in_force(session))
    return AdoptedPolicy(**answer.model_dump(), receipt=workspace.log.receipt(policy.entry_id))


def page_of_policies(workspace: Workspace, cursor: str | None, limit: int) -> Page[PolicyAnswer]:
    """Return a page of adopted policies, oldest first.

    Raises:
        InputError: the cursor is none of ours.
    """
    after = decode_cursor(cursor) if cursor else ""
    with workspace.reading() as session:
        found = list_policies(session, after, limit + 1)
        shown = [build_policy_answer(one, find_policy_in_force(session)) for one in found[:limit]]
    return Page(items=shown, next_cursor=encode_cursor(found[limit - 1].id) if len(found) > limit else None)


def find_adopted(session: Session, name_or_id: str) -> Policy:
    """Return an adopted policy by id, or the newest of a name.

    Raises:
        NotFoundError: there is none.
    """
    return load_newest_policy(session, name_or_id) or load_policy(session, name_or_id)
