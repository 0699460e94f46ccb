"""A policy held against what it decides by, before it is adopted: the range of its rule, and every model's control.

Rules, in order:

1. A threshold that is given outright lies within its rule's range. At or above the score of an exact copy nothing would ever
   be flagged; below the lowest score everything would.
2. The control of each calibrated model is decided by the policy. How many of its pictures would be flagged says what the
   policy costs; a control picture is no copy.
3. Not every score of a range is reached. Exact copies of some of a model's training items say how high its pictures score, and
   whether a threshold lies above that.
4. Files of several frames are counted: of a control the first frame was judged, of a generation each is.
5. A model whose calibration lacks a rule of the policy, or was made with another shortlist, is named with the reason: the gate
   is undecided about its generations until it is calibrated anew.
"""

from sqlmodel import Session, select

from services.output_gate.policy.exact_copies import find_highest_score
from services.output_gate.policy.policy import PolicyContent
from services.output_gate.policy.schemas import ControlRun
from shared.errors import InputError
from shared.matching.calibration.decision import BORDERLINE, RuleScore, decide_by_any
from shared.matching.calibration.null_distribution import NullDistribution
from shared.matching.panel.registry import load_rule
from shared.records.manifests import count_several_frames
from shared.records.models import Calibration, Model, list_calibrations
from shared.workspace import Workspace


def verify_threshold(content: PolicyContent) -> None:
    """Check that a policy's own threshold, if it gives one, lies within its rule's range.

    Raises:
        InputError: it does not, so that the policy would flag nothing, or everything.
    """
    band = content.borderline.threshold if content.borderline else None
    for threshold in (content.threshold, band):
        if threshold is None:
            continue
        [name] = content.deciding_rules
        lowest, highest = load_rule(name).score_range
        if not lowest <= threshold < highest:
            raise InputError(
                f"expected a threshold of rule {name} from {lowest:.3g} to below {highest:.3g}, the score of an exact copy; "
                f"got {threshold:.6g}",
                code="policy_out_of_range",
            )


def run_on_controls(workspace: Workspace, session: Session, content: PolicyContent) -> list[ControlRun]:
    """Decide the control of every calibrated model by a policy; nothing is recorded."""
    runs = []
    for model in session.exec(select(Model).order_by(Model.name)):
        calibrations = list_calibrations(session, model.id)
        if calibrations:
            runs.append(_run(workspace, session, model, calibrations[0], content))
    return runs


def _run(workspace: Workspace, session: Session, model: Model, calibration: Calibration, content: PolicyContent) -> ControlRun:
    rules = content.deciding_rules
    if not calibration.scores.keys() >= set(rules):
        return ControlRun(model=model.name, not_decidable="rule_not_calibrated")
    if calibration.pipeline["neighbours"] != content.neighbours:
        return ControlRun(model=model.name, not_decidable="other_shortlist")
    nulls = [NullDistribution(tuple(calibration.scores[rule])) for rule in rules]
    outcomes = [
        decide_by_any(
            [RuleScore(score, null) for score, null in zip(scores, nulls, strict=True)],
            content.flag_bound,
            content.borderline_bound,
        )[1]
        for scores in zip(*(null.scores for null in nulls), strict=True)
    ]
    highest = None if content.threshold is None else find_highest_score(workspace, session, model, rules[0])
    return ControlRun(
        model=model.name,
        several_pictures=count_several_frames(session, calibration.control_manifest_id),
        highest_score=highest,
        unreachable=highest is not None and content.threshold is not None and content.threshold >= highest,
        pictures=len(outcomes),
        flagged=sum(decision.outcome == "flag" for decision in outcomes),
        borderline=sum(decision.reason == BORDERLINE for decision in outcomes),
        not_decidable=None,
    )
