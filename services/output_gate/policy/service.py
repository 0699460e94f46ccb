"""Policies as the API and the command line use them: adopted, listed, shown, tried on past checks."""

from services.output_gate.policy.adoption import adopt_policy
from services.output_gate.policy.control_run import run_on_controls, verify_threshold
from services.output_gate.policy.dry_run import run_dry
from services.output_gate.policy.policy import PolicyContent, content_of
from services.output_gate.policy.schemas import AdoptedPolicy, DryRun, PolicyAnswer, ProposedPolicy
from shared.auth.caller import current_caller
from shared.clock import format_moment
from shared.http.paging import Page, PageRequest
from shared.idempotency import once
from shared.receipts import prove_entry
from shared.records.models import load_model_record
from shared.records.policies import (
    Policy,
    approve,
    find_policy,
    find_policy_in_force,
    list_policies,
    load_newest_policy,
    load_policy,
)
from shared.workspace import Workspace

OPERATION = "policies.adopt"


def adopt(workspace: Workspace, content: PolicyContent, idempotency_key: str | None = None) -> AdoptedPolicy | ProposedPolicy:
    """Adopt a policy; running gates decide by it from their next check on.

    Returns:
        The policy as adopted; as proposed, where the settings ask for two approvals and this is the first.

    Raises:
        InputError: the policy's threshold lies outside its rule's range.
        ConflictError: this name stands for a version as high already, the policy was in force before, or the
            Idempotency-Key was used for another policy.
    """
    needed = workspace.settings.policy_approvals
    verify_threshold(content)
    if needed > 1:
        with workspace.writing() as session:
            approvals = approve(session, content.sha256, current_caller().key_id)
            if approvals < needed and find_policy(session, content.sha256) is None:
                return ProposedPolicy(
                    sha256=content.sha256,
                    approvals=approvals,
                    approvals_needed=needed,
                    controls=run_on_controls(workspace, session, content),
                )
    effect = once(workspace, OPERATION, idempotency_key, content.sha256, lambda session: adopt_policy(session, content).id)
    with workspace.reading() as session:
        controls = run_on_controls(workspace, session, content)
    return show_policy(workspace, effect.resource_id).model_copy(update={"controls": controls})


def show_policy(workspace: Workspace, policy_id: str) -> AdoptedPolicy:
    """Return a policy with the receipt of its adoption.

    Raises:
        NotFoundError: no policy has this id.
    """
    with workspace.reading() as session:
        policy = load_policy(session, policy_id)
        answer = build_policy_answer(policy, find_policy_in_force(session))
    return AdoptedPolicy(**answer.model_dump(), **prove_entry(workspace, policy.entry_id))


def show_named_policy(workspace: Workspace, name_or_id: str) -> AdoptedPolicy:
    """Return the newest policy of a name, or the one of an id, with the receipt of its adoption.

    Raises:
        NotFoundError: there is none.
    """
    with workspace.reading() as session:
        policy = load_newest_policy(session, name_or_id) or load_policy(session, name_or_id)
    return show_policy(workspace, policy.id)


def page_of_policies(workspace: Workspace, page: PageRequest) -> Page[PolicyAnswer]:
    """Return a page of adopted policies, oldest first.

    Raises:
        InputError: the cursor is none of ours.
    """
    with workspace.reading() as session:
        policies = list_policies(session, page.position, page.rows_to_load)
        in_force = find_policy_in_force(session)
    return page.build(
        policies, lambda policy: policy.id, lambda shown: [build_policy_answer(policy, in_force) for policy in shown]
    )


def try_on_past_checks(workspace: Workspace, content: PolicyContent, limit: int | None, model: str | None = None) -> DryRun:
    """Decide past checks again under a policy; nothing is adopted or recorded.

    Args:
        workspace: whose checks.
        content: the policy to try.
        limit: how many of the newest checks; None for all.
        model: name or id of the model whose checks they are; None for every model.

    Raises:
        NotFoundError: no such model.
    """
    model_id = None
    if model is not None:
        with workspace.reading() as session:
            model_id = load_model_record(session, model).id
    return run_dry(workspace, content, limit, model_id)


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
