"""Policies held against their rule's range and against the controls, and the second approver."""

from dataclasses import replace

import pytest

from services.output_gate.checks.service import check_generation
from services.output_gate.gate import view_recipe
from services.output_gate.operation.readiness import measure_readiness
from services.output_gate.policy import adoption
from services.output_gate.policy.control_run import run_on_controls, verify_threshold
from services.output_gate.policy.policy import PolicyContent
from services.output_gate.policy.schemas import AdoptedPolicy, ProposedPolicy
from services.output_gate.policy.service import adopt, try_on_past_checks
from shared.auth.caller import Caller, acting_as
from shared.errors import InputError
from shared.matching.panel.registry import load_rule
from shared.records.items import Blob
from shared.records.policies import find_policy_in_force
from shared.vision.views import build_view, view_to_image
from shared.workspace import Workspace
from tests.support.factories import encode, png
from tests.support.memory_gate import MemoryWorld, build_memory_world, build_policy
from tests.unit.shared.matching.whole_picture.pictures import load_photograph


def given(threshold: float, rule: str = "ssim", band: float | None = None) -> PolicyContent:
    borderline = None if band is None else {"threshold": band}
    return build_policy(version=2, rule=rule, rules=None, false_positive_rate=None, threshold=threshold, borderline=borderline)


@pytest.mark.parametrize(
    ("rule", "threshold"),
    [
        ("ssim", 1e300),
        ("ssim", 1.0),
        ("ssim", -1.5),
        ("fused", 1e300),
        ("fused", 13.0),
        ("fused", -50.0),
        ("works", 40.0),
        ("works", -9.0),
    ],
)
def test_a_threshold_outside_its_rules_range_is_refused(world: MemoryWorld, rule: str, threshold: float) -> None:
    content = given(threshold, rule)
    for ask in (
        lambda: verify_threshold(content),
        lambda: adopt(world.workspace, content),
        lambda: try_on_past_checks(world.workspace, content, None),
    ):
        with pytest.raises(InputError) as refused:
            ask()
        assert refused.value.code == "policy_out_of_range"
    with world.workspace.reading() as session:
        policy = find_policy_in_force(session)
    assert policy is not None
    assert policy.version == 1


def test_thresholds_within_the_range_and_rates_pass() -> None:
    for content in (given(0.65), given(-1.0), given(9.0, "fused", band=8.0), build_policy(version=2)):
        verify_threshold(content)
    with pytest.raises(InputError):
        verify_threshold(given(0.9, band=-2.0))


def test_a_policy_on_record_from_before_the_bounds_decides_nothing(
    world: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adoption, "verify_threshold", lambda _content: None)
    with world.workspace.writing() as session:
        adoption.adopt_policy(session, given(1e300))
    check = check_generation(world.gate, "model-a", png(2))
    assert (check.decision, check.result["reason"]) == ("undecided", "policy_out_of_range")
    [policy] = [part for part in measure_readiness(world.gate).dependencies if part.name == "policy"]
    assert (policy.ready, policy.reason) == (False, "policy_out_of_range")


def test_the_controls_are_decided_before_a_policy_is(world: MemoryWorld) -> None:
    with world.workspace.reading() as session:
        [strict] = run_on_controls(world.workspace, session, given(-0.99))
        [lax] = run_on_controls(world.workspace, session, given(0.999))
        [other] = run_on_controls(world.workspace, session, build_policy(version=2, neighbours=7))
    assert strict.flagged == strict.pictures > 0
    assert (lax.flagged, lax.pictures) == (0, strict.pictures)
    assert (other.not_decidable, other.pictures) == ("other_shortlist", 0)
    adopted = adopt(world.workspace, given(0.9))
    assert [run.model for run in adopted.controls] == ["model-a"]


def test_two_keys_have_to_send_a_policy_where_the_settings_say_so(world: MemoryWorld) -> None:
    asking = world.workspace.settings.model_copy(update={"policy_approvals": 2, "authentication": "keys"})
    workspace, content = replace(world.workspace, settings=asking), given(0.9)
    for _ in range(2):  # one key, twice, is one approval
        with acting_as(Caller("a" * 32, frozenset({"policies:write"}))):
            proposed = adopt(workspace, content)
        assert isinstance(proposed, ProposedPolicy)
        assert (proposed.approvals, proposed.approvals_needed) == (1, 2)
    with acting_as(Caller("b" * 32, frozenset({"policies:write"}))):
        other = adopt(workspace, given(0.8))
        assert isinstance(other, ProposedPolicy)
        adopted = adopt(workspace, content)
        assert isinstance(adopted, AdoptedPolicy)
        assert adopted.in_force
    with acting_as(Caller("a" * 32, frozenset({"policies:write"}))):
        assert adopt(workspace, content) == adopted


def test_a_threshold_that_not_even_exact_copies_reach_is_told(world: MemoryWorld) -> None:
    highest = load_rule("fused").score_range[1]
    with world.workspace.reading() as session:
        [far] = run_on_controls(world.workspace, session, given(highest - 1e-6, "fused"))
        assert far.highest_score is not None
        assert far.highest_score < highest
        [above] = run_on_controls(world.workspace, session, given(far.highest_score, "fused"))
        [below] = run_on_controls(world.workspace, session, given(far.highest_score - 1e-6, "fused"))
        [ssim] = run_on_controls(world.workspace, session, given(0.999))
        [by_rate] = run_on_controls(world.workspace, session, build_policy(version=2))
    assert (far.unreachable, above.unreachable, below.unreachable) == (True, True, False)
    assert (ssim.highest_score, ssim.unreachable) == (1.0, False)
    assert (by_rate.highest_score, by_rate.unreachable) == (None, False)
    # What is said holds in the gate: an item itself is not flagged by the one, and the best of them is by the other.
    for version, threshold, flags in ((2, far.highest_score, False), (3, far.highest_score - 0.01, True)):
        world.adopt(version=version, rule="fused", false_positive_rate=None, threshold=threshold, borderline=None)
        checks = [check_generation(world.gate, "model-a", png(seed)) for seed in range(len(world.items))]
        assert any(check.decision == "flag" for check in checks) == flags


def test_what_works_reaches_at_most_is_measured_as_well(workspace: Workspace) -> None:
    world = build_memory_world(workspace, pictures=[load_photograph(name) for name in ("chelsea", "coffee")], rule="works")
    highest = load_rule("works").score_range[1]
    with world.workspace.reading() as session:
        [far] = run_on_controls(world.workspace, session, given(highest - 1e-6, "works"))
    assert far.highest_score is not None
    assert far.highest_score < highest - 0.1
    assert far.unreachable
    world.adopt(version=2, rule="works", false_positive_rate=None, threshold=far.highest_score - 1, borderline=None)
    copy = view_to_image(build_view(load_photograph("coffee"), view_recipe(world.model)))
    assert check_generation(world.gate, "model-a", encode(copy)).decision == "flag"


def test_without_readable_items_nothing_is_said_of_the_highest_score(world: MemoryWorld) -> None:
    for item in world.items:
        world.workspace.blobs.path(item.blob_sha256).unlink()
    with world.workspace.reading() as session:
        [run] = run_on_controls(world.workspace, session, given(9.0, "fused"))
    assert (run.highest_score, run.unreachable) == (None, False)
    assert run.pictures > 0


def test_control_files_of_several_pictures_are_counted(world: MemoryWorld) -> None:
    # The control is the training manifest here; two of its files are said to hold more than one picture.
    with world.workspace.writing() as session:
        for item, frames in zip(world.items, (3, 1, 2), strict=False):
            blob = session.get_one(Blob, item.blob_sha256)
            blob.frames = frames
            session.add(blob)
    with world.workspace.reading() as session:
        [run] = run_on_controls(world.workspace, session, build_policy(version=2))
    assert run.several_pictures == 2
