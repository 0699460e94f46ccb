"""Policies adopted, listed, shown and tried, as a console or a command does it."""

import pytest

from services.output_gate.checks.service import check_generations
from services.output_gate.policy.schemas import AdoptedPolicy
from services.output_gate.policy.service import adopt, page_of_policies, show_named_policy, show_policy, try_on_past_checks
from shared.errors import ConflictError, NotFoundError
from shared.http.paging import PageRequest
from shared.ledger.verify import verify_receipt
from tests.support.factories import png
from tests.support.memory_gate import MemoryWorld, build_policy


def test_a_policy_is_adopted_once_for_each_key_and_is_in_force(world: MemoryWorld) -> None:
    content = build_policy(version=2)
    adopted = adopt(world.workspace, content, "key")
    assert isinstance(adopted, AdoptedPolicy)
    assert adopt(world.workspace, content, "key") == adopted
    assert adopt(world.workspace, content) == adopted
    assert adopted.in_force
    verify_receipt(adopted.receipt, world.workspace.log.vkey)
    assert show_named_policy(world.workspace, "memory").id == show_policy(world.workspace, adopted.id).id
    with pytest.raises(ConflictError):
        adopt(world.workspace, build_policy(version=3), "key")
    with pytest.raises(ConflictError) as caught:
        adopt(world.workspace, build_policy(version=1, false_positive_rate=0.1))
    assert caught.value.code == "policy_version"
    assert [policy.version for policy in page_of_policies(world.workspace, PageRequest()).items] == [1, 2]
    with pytest.raises(NotFoundError):
        show_named_policy(world.workspace, "none")


def test_a_dry_run_says_what_past_checks_would_come_to_and_changes_nothing(world: MemoryWorld) -> None:
    check_generations(world.gate, "model-a", [png(1), png(5_000), png(5_001)])
    raised = build_policy(version=2, tariff={"currency": "EUR", "amount_minor": 5})
    run = try_on_past_checks(world.workspace, raised, None, "model-a")
    assert (run.checks, run.unchanged) == (3, 2)
    [change] = run.changed
    assert (change.kind, change.changes[0].amount_before, change.changes[0].amount_after) == ("flag_other_amount", 1001, 5)
    strict = build_policy(version=2, false_positive_rate=None, threshold=-0.99)
    assert [kind.kind for kind in try_on_past_checks(world.workspace, strict, None).changed] == ["clear_to_flag"]
    other = try_on_past_checks(world.workspace, build_policy(version=2, neighbours=7), 2)
    assert ([refused.reason for refused in other.not_decidable], other.more) == (["other_shortlist"], True)
    assert len(page_of_policies(world.workspace, PageRequest()).items) == 1
    with pytest.raises(NotFoundError):
        try_on_past_checks(world.workspace, raised, None, "model-z")
