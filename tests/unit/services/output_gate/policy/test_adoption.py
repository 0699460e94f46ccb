"""Adoption in a transaction: in force is the one adopted last."""

import pytest

from services.output_gate.policy.adoption import adopt_default, adopt_policy
from services.output_gate.policy.policy import DEFAULT_POLICY, load_policy_file
from shared.errors import ConflictError
from shared.records.policies import find_policy_in_force
from shared.workspace import Workspace
from tests.support.memory_gate import build_policy


def test_the_default_is_adopted_where_none_was_and_never_over_a_chosen_one(workspace: Workspace) -> None:
    with workspace.writing() as session:
        default = adopt_default(session)
        assert default.sha256 == load_policy_file(DEFAULT_POLICY).sha256
        chosen = adopt_policy(session, build_policy())
        assert adopt_default(session).id == chosen.id


def test_what_was_in_force_before_is_not_adopted_again(workspace: Workspace) -> None:
    with workspace.writing() as session:
        first = adopt_policy(session, build_policy())
        assert adopt_policy(session, build_policy()).id == first.id
        adopt_policy(session, build_policy(name="other"))
    with pytest.raises(ConflictError), workspace.writing() as session:
        adopt_policy(session, build_policy())
    with workspace.reading() as session:
        in_force = find_policy_in_force(session)
    assert in_force is not None
    assert in_force.name == "other"
