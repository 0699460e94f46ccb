"""The outcome of a control: for each rule the expected result, the actual one, and whether they agree.

Rules, in order:

1. A check passes, fails, or is undefined for a reason. Undefined is neither pass nor failure.
2. Known copies must be found. A rule must fire on more than 99 % of those for which it is defined, and must name the picture
   that was copied or a duplicate of it. Seeds fix the pictures that are sent, so nothing is estimated from the share.
3. An audit fails where a check fails by a rule that its figures rest on. That is every rule, unless the audit named some
   beforehand. The figures of a rule that failed are void in any case.
"""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.audit.comparison.compare import HEADLINE_RULE
from services.audit.comparison.matching import Corpus, Matched
from shared.errors import InputError
from shared.matching.panel.panel import RuleResult, evaluate, rule_names
from shared.matching.panel.rule import Rule

# Of copies, the share that a rule must find. The design's figure: what a rule misses here it cannot be trusted to find.
REQUIRED_SHARE = 0.99


@dataclass(frozen=True)
class ControlCheck:
    """One check of a control.

    Attributes:
        rule: name of the rule that was checked.
        expected: in words, with the figure.
        got: in words, with the figures.
        passed: None where the check is undefined.
        reason: why it is undefined; empty otherwise.
        figures: what `got` says, as numbers.
    """

    rule: str
    expected: str
    got: str
    passed: bool | None
    reason: str
    figures: dict[str, float | int]


@dataclass(frozen=True)
class ControlOutcome:
    """A control with its checks.

    Attributes:
        name: `copycat` (the positive control), `exact-optimum` or `held-out`.
        title: what was sent through the pipeline.
        checks: one for each rule, or several.
    """

    name: str
    title: str
    checks: tuple[ControlCheck, ...]

    @property
    def passed(self) -> bool | None:
        """Whether every defined check passed; None where no check is defined."""
        defined = [check.passed for check in self.checks if check.passed is not None]
        return all(defined) if defined else None

    def content(self) -> dict[str, Any]:
        """Spell it for `audit.json`."""
        checks = [asdict(check) for check in self.checks]
        return {"name": self.name, "title": self.title, "passed": self.passed, "checks": checks}


def failed_checks(
    outcomes: Sequence[ControlOutcome], relied_on: Collection[str] | None = None
) -> list[tuple[str, ControlCheck]]:
    """Return the checks that failed, each with the name of its control.

    Args:
        outcomes: of all controls.
        relied_on: names of rules; only their checks. None is every rule.
    """
    failed = [(outcome.name, check) for outcome in outcomes for check in outcome.checks if check.passed is False]
    return [(name, check) for name, check in failed if relied_on is None or check.rule in relied_on]


def passed_rules(outcomes: Sequence[ControlOutcome]) -> set[str]:
    """Return the rules that passed every control: none of their checks failed, and none was undefined."""
    tried = [{check.rule for check in outcome.checks if check.passed} for outcome in outcomes]
    not_passed = {check.rule for outcome in outcomes for check in outcome.checks if not check.passed}
    return set.intersection(*tried) - not_passed if tried else set()


def verify_relied_on(relied_on: Collection[str], embedder: str) -> None:
    """Check that the controls try the rules that figures rest on, and that the headline's rule is among these.

    Otherwise no control could fail by them, and the audit would be sound whatever its controls say.

    Raises:
        InputError: the headline's rule is missing, or one is not in the panel of this embedder.
    """
    panel = rule_names(embedder)
    unknown = [name for name in relied_on if name not in panel]
    if unknown or HEADLINE_RULE not in relied_on:
        raise InputError(
            f"relied_on: expected {HEADLINE_RULE}, of which the figures are, and others of {', '.join(panel)}, "
            f"got {', '.join(relied_on)}",
            code="rules_relied_on",
        )


def check_copies_are_found(
    corpus: Corpus, copies: Matched, copied_rows: NDArray[np.int64], rules: Sequence[Rule]
) -> tuple[ControlCheck, ...]:
    """Check that every rule finds copies.

    Args:
        corpus: the training set.
        copies: pictures that are copies, matched in the corpus.
        copied_rows: int64 (B,), the row of the corpus that each of them copies.
        rules: of the audit.
    """
    labels = corpus.side.clusters.labels
    return tuple(_check(outcome, labels, labels[copied_rows]) for outcome in evaluate(rules, copies.evidence))


def _check(outcome: RuleResult, labels: NDArray[np.int64], expected_cluster: NDArray[np.int64]) -> ControlCheck:
    expected = f"fires on more than {REQUIRED_SHARE:.0%} of the copies and names what was copied"
    trials = int(outcome.defined.sum())
    if trials == 0:
        reason = "; ".join(sorted(set(outcome.scores.undefined) - {""})) or "there is no copy to look at"
        return ControlCheck(outcome.rule.name, expected, "undefined", None, reason, {})
    correct = outcome.fired & (labels[np.maximum(outcome.scores.items, 0)] == expected_cluster)
    fired, named = int(outcome.fired.sum()), int(correct.sum())
    return ControlCheck(
        rule=outcome.rule.name,
        expected=expected,
        got=f"fires on {fired} of {trials} and names what was copied on {named}; threshold {outcome.rule.threshold:.6g}",
        passed=named > REQUIRED_SHARE * trials,
        reason="",
        figures={"fired": fired, "found": named, "trials": trials, "threshold": outcome.rule.threshold},
    )
