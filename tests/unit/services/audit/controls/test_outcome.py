"""Outcomes of controls: what passes, what fails an audit, and on which rules figures may rest."""

import pytest

from services.audit.controls.outcome import ControlCheck, ControlOutcome, failed_checks, passed_rules, verify_relied_on
from shared.errors import InputError


def check(rule: str, passed: bool | None) -> ControlCheck:
    return ControlCheck(rule, "expected", "got", passed, "" if passed is not None else "a reason", {})


OUTCOMES = [
    ControlOutcome("copycat", "noisy copies", (check("ssim", True), check("fused", True), check("pdq", None))),
    ControlOutcome("held-out", "held-out pictures", (check("ssim", True), check("fused", False))),
]


def test_an_outcome_passes_where_every_defined_check_does() -> None:
    assert [outcome.passed for outcome in OUTCOMES] == [True, False]
    assert ControlOutcome("exact-optimum", "mixed", (check("ssim", None),)).passed is None
    assert OUTCOMES[0].content()["checks"][2]["reason"] == "a reason"


def test_a_failure_counts_where_the_audit_relies_on_the_rule() -> None:
    assert [(name, failed.rule) for name, failed in failed_checks(OUTCOMES)] == [("held-out", "fused")]
    assert failed_checks(OUTCOMES, ["ssim", "pdq"]) == []


def test_a_rule_passed_where_no_control_left_it_undefined() -> None:
    assert passed_rules(OUTCOMES) == {"ssim"}
    assert passed_rules([OUTCOMES[0]]) == {"ssim", "fused"}
    assert passed_rules([]) == set()


@pytest.mark.parametrize("relied_on", [("fused",), ("ssim", "clip"), ()])
def test_figures_rest_on_the_headline_and_on_rules_of_the_panel(relied_on: tuple[str, ...]) -> None:
    verify_relied_on(("ssim", "pdq"), "pixels:16")
    with pytest.raises(InputError) as refused:
        verify_relied_on(relied_on, "pixels:16")
    assert refused.value.code == "rules_relied_on"
