"""The dry run: what past checks would come to under another policy, from what was recorded of them; no picture is compared.

Rules, in order:

1. A check records the score, and the item, that every rule came to, and cites the calibration whose control scores are on
   record. That is all that a decision rests on: deciding again by `decide_by_any` gives what the gate would have
   answered.
2. What was not recorded is not guessed. A check that was undecided because something was missing has no scores. One whose
   calibration is gone has no control. One whose shortlist had another length than the policy asks for was another search.
   Each is listed with its reason.
3. The kind of a match is the one that was recorded with the score of the rule that decides; `unspecified` where there is none.
4. What is compared is the flag of the item that decides. Flags of further works are counted and not decided again.
5. Reviews and steps that followed are not undone. The run compares decisions, not outcomes.
"""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

from sqlmodel import Session, col, select

from services.output_gate.policy.control_run import run_on_controls, verify_threshold
from services.output_gate.policy.policy import PolicyContent
from services.output_gate.policy.schemas import Change, ChangeKind, DryRun, DryRunOutcome, NotDecidable
from services.output_gate.results.recorded import read_result
from services.output_gate.results.schemas import RecordedResult
from shared.errors import NotFoundError
from shared.ledger.body_fields import UNSPECIFIED, MatchKind
from shared.matching.calibration.decision import BORDERLINE, Decision, RuleScore, decide_by_any
from shared.matching.calibration.null_distribution import NullDistribution
from shared.records.checks import Check
from shared.records.flags import Flag, find_flags_of_checks
from shared.records.models import find_same_calibration
from shared.workspace import Workspace

# Of one kind or reason, this many are named; their count is always of all.
NAMED = 100
CHECKS_AT_ONCE = 500

T = TypeVar("T")


@dataclass(frozen=True)
class _Nulls:
    """The control by each rule of the policy as a check's calibration has it, or why there is none to decide by."""

    by_rule: dict[str, NullDistribution]
    reason: str = ""


def run_dry(workspace: Workspace, content: PolicyContent, limit: int | None, model_id: str | None = None) -> DryRun:
    """Decide past checks again under a policy.

    Args:
        workspace: whose checks.
        content: the policy to try.
        limit: how many at most, newest first; None for all.
        model_id: of this model only; None for all.

    Raises:
        InputError: the policy's threshold lies outside its rule's range.
    """
    unchanged, checks, further_flags, more = 0, 0, 0, False
    changes: dict[str, list[Change]] = {}
    refused: dict[str, list[str]] = {}
    counts: Counter[str] = Counter()
    nulls: dict[tuple[str, str], _Nulls] = {}
    verify_threshold(content)
    with workspace.reading() as session:
        controls = run_on_controls(workspace, session, content)
        for check, flags in _past_checks(session, model_id):
            if limit is not None and checks == limit:
                more = True
                break
            checks += 1
            result = read_result(check)
            answer = _decide_again(session, check.model_id, result, content, nulls)
            if isinstance(answer, str):
                counts[f"not {answer}"] += 1
                _name(refused.setdefault(answer, []), check.id)
                continue
            further_flags += len(flags[1:])
            change = _compare(check, result, flags[0] if flags else None, content, *answer)
            if change is None:
                unchanged += 1
                continue
            counts[change[0]] += 1
            _name(changes.setdefault(change[0], []), change[1])
    return DryRun(
        policy_sha256=content.sha256,
        controls=controls,
        checks=checks,
        unchanged=unchanged,
        further_flags=further_flags,
        changed=[ChangeKind(kind=kind, count=counts[kind], changes=changes[kind]) for kind in sorted(changes)],
        not_decidable=[
            NotDecidable(reason=reason, count=counts[f"not {reason}"], check_ids=refused[reason]) for reason in sorted(refused)
        ],
        more=more,
    )


def _name(named: list[T], example: T) -> None:
    if len(named) < NAMED:
        named.append(example)


def _past_checks(session: Session, model_id: str | None) -> Iterator[tuple[Check, list[Flag]]]:
    """Yield checks with their flags, newest first, a block of them in memory."""
    before = "~"  # after every id
    while True:
        query = select(Check).where(col(Check.id) < before)
        if model_id is not None:
            query = query.where(Check.model_id == model_id)
        block = list(session.exec(query.order_by(col(Check.id).desc()).limit(CHECKS_AT_ONCE)))
        if not block:
            return
        flags = find_flags_of_checks(session, [check.id for check in block])
        yield from ((check, flags[check.id]) for check in block)
        before = block[-1].id
        session.expunge_all()


def _decide_again(
    session: Session, model_id: str, result: RecordedResult, content: PolicyContent, nulls: dict[tuple[str, str], _Nulls]
) -> tuple[Decision, str | None, MatchKind] | str:
    """Return the decision, and the item and the kind of match that it names, or the code of why there is none."""
    digest = result.calibration_sha256
    if digest is None:
        return result.reason  # what was missing then; no scores were recorded
    if result.variant is not None and result.variant.judged > 1:
        return "several_pictures"  # only the scores of the one that decided are on record
    findings = {finding.rule: finding for finding in result.rules}
    if not findings.keys() >= set(content.deciding_rules):
        return "rule_not_measured"
    key = (model_id, digest)
    if key not in nulls:
        nulls[key] = _load_nulls(session, model_id, digest, content)
    control = nulls[key]
    if control.reason:
        return control.reason
    scores = {rule: findings[rule].score for rule in content.deciding_rules}
    judged = [RuleScore(math.nan if score is None else score, control.by_rule[rule]) for rule, score in scores.items()]
    chosen, decision = decide_by_any(judged, content.flag_bound, content.borderline_bound)
    if decision.score is None:
        return "rule_undefined"
    deciding = findings[content.deciding_rules[chosen]]
    return decision, deciding.item, deciding.kind or UNSPECIFIED


def _load_nulls(session: Session, model_id: str, digest: str, content: PolicyContent) -> _Nulls:
    calibration = find_same_calibration(session, model_id, digest)
    if calibration is None:
        return _Nulls({}, "calibration_missing")
    if calibration.pipeline["neighbours"] != content.neighbours:
        return _Nulls({}, "other_shortlist")
    if not calibration.scores.keys() >= set(content.deciding_rules):
        return _Nulls({}, "rule_not_calibrated")
    return _Nulls({rule: NullDistribution(tuple(calibration.scores[rule])) for rule in content.deciding_rules})


def _compare(
    check: Check,
    result: RecordedResult,
    flag: Flag | None,
    content: PolicyContent,
    decision: Decision,
    item_id: str | None,
    kind: MatchKind,
) -> tuple[str, Change] | None:
    """Return the kind of change and the change, or None where everything stays."""
    before, after = _outcome_of(check.decision, result.reason), _outcome_of(decision.outcome, decision.reason)
    if decision.score is None or decision.p_value is None:
        raise NotFoundError(f"check {check.id}: expected a decision with its figures, got none")
    amount = content.tariff.amount_for(decision.p_value, kind) if content.tariff and after == "flag" else None
    change = Change(
        check_id=check.id,
        item_id=item_id,
        kind=kind,
        before=before,
        after=after,
        score=decision.score,
        p_value=decision.p_value,
        amount_before=flag.amount_minor if flag else None,
        amount_after=amount,
    )
    if before != after:
        return f"{before}_to_{after}", change
    if after != "flag" or flag is None:
        return None
    if item_id != flag.item_id:
        return "flag_other_item", change
    currency = content.tariff.currency if content.tariff else None
    return ("flag_other_amount", change) if (amount, currency) != (flag.amount_minor, flag.currency) else None


def _outcome_of(decision: str, reason: str) -> DryRunOutcome:
    if decision == "undecided" and reason == BORDERLINE:
        return "borderline"
    return "clear" if decision == "clear" else "flag" if decision == "flag" else "undecided"
