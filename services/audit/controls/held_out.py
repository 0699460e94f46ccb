"""The held-out control: real pictures that were never trained on must fire no more often than is stated.

Rules, in order:

1. Every calibrated rule is checked. Each half of the control is judged by the threshold of the other half. Where the rule does
   what it says, every order of the scores is equally likely, so the number that fires has an exact distribution. The check
   fails where so many fire that chance does it less than once in a thousand audits, all rules together.
2. A control can be too small: where even the largest possible number is not that rare, the check is undefined.
3. A held-out picture that is a near copy of a training picture was not held out. A threshold that rests on one hides copies,
   and the check fails.

Source: David and Nagaraja 2003, "Order Statistics", section 2.5, for exceedances (negative hypergeometric).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import nhypergeom

from services.audit.comparison.context import AuditContext
from services.audit.controls.calibration import CalibratedModel
from services.audit.controls.outcome import ControlCheck, ControlOutcome
from services.audit.sealing.near_copies import find_near_copies
from shared.matching.calibration.null_distribution import NullDistribution, cross_fit, threshold_rank

# A sound audit fails this control less often than this, whatever the pictures.
FALSE_ALARM = 1e-3


def exceedance_tail(first: int, second: int, rank_first: int, rank_second: int, hits: int) -> float:
    """Return the chance that at least so many fire when two halves judge each other.

    Each half's threshold is its score of the given rank, counted from the highest. A picture of the other half fires above it.
    All orders of the scores are equally likely. Equal scores fire less often, so the figure is an upper bound for them.

    Args:
        first, second: pictures in each half.
        rank_first, rank_second: rank of each half's threshold, at least 1.
        hits: fired in both halves together.

    >>> round(exceedance_tail(2, 2, 1, 1, 1), 4), round(exceedance_tail(2, 2, 1, 1, 2), 4)
    (1.0, 0.3333)
    """
    first_leads = _tail_when_first_is_reached_first(first, second, rank_first, rank_second, hits)
    second_leads = _tail_when_first_is_reached_first(second, first, rank_second, rank_first, hits)
    return min(1.0, first_leads + second_leads)


def _tail_when_first_is_reached_first(first: int, second: int, rank: int, other_rank: int, hits: int) -> float:
    """Return the share of that chance in which the first half's threshold comes first in the joint order, from the top.

    `passed` pictures of the second half lie above it, and fire. So do the first half's pictures down to its own threshold, and
    those that follow before the second half's threshold; `more` is the chance that these are enough.
    """
    passed = np.arange(min(other_rank, second + 1))
    reached = nhypergeom.pmf(passed, first + second, second, rank)
    left_first, left_second = first - rank, second - passed
    needed = hits - passed - rank
    more = nhypergeom.sf(needed - 1, left_first + left_second, left_first, other_rank - passed)
    return float((reached * np.where(needed <= 0, 1.0, more)).sum())


def run_held_out(context: AuditContext, calibrated: CalibratedModel) -> ControlOutcome:
    """Check the held-out control of an audit by every calibrated rule."""
    corpus, control, scores = calibrated.corpus, calibrated.matched_control, calibrated.scores
    rules = sorted(scores.by_rule)
    rate_checks = [check_rate(rule, scores.null(rule), context.rate, FALSE_ALARM / len(rules)) for rule in rules]
    rows = control.matches.index
    near = find_near_copies(control.matches.ssim, control.evidence.hashes, corpus.side.hashes[rows])
    pairs = [
        f"{item.id} (nearest {corpus.item_ids[int(row)]})" for item, row in zip(calibrated.control.items, rows, strict=True)
    ]
    threshold_checks = [_check_threshold(rule, scores.null(rule), context.rate, near, pairs) for rule in rules]
    return ControlOutcome(
        "held-out",
        f"{calibrated.control.manifest.size} real pictures that were never trained on",
        (*rate_checks, *threshold_checks),
    )


def check_rate(rule: str, null: NullDistribution, rate: float, false_alarm: float) -> ControlCheck:
    """Check that no more of a control fire by a rule than chance explains.

    Args:
        rule: its name.
        null: the control's scores by it, at least four.
        rate: chosen false-positive rate.
        false_alarm: how rarely a sound control may fail, 0..1.
    """
    fit = cross_fit(null, rate)
    sizes = (null.size + 1) // 2, null.size // 2
    ranks = threshold_rank(rate, sizes[0]), threshold_rank(rate, sizes[1])
    expected = (
        f"fires on {fit.stated_rate:.3g} of held-out pictures; so many that chance has less than {false_alarm:.1g} is wrong"
    )
    largest = exceedance_tail(*sizes, *ranks, max(sizes[0] + ranks[1], sizes[1] + ranks[0]) - 1)
    if largest >= false_alarm:
        reason = f"a control of {null.size} is too small: {largest:.2g} of sound ones have the largest number there can be"
        return ControlCheck(rule, expected, "undefined", None, reason, {})
    chance = exceedance_tail(*sizes, *ranks, fit.rate.hits)
    return ControlCheck(
        rule=rule,
        expected=expected,
        got=f"fires on {fit.rate.hits} of {fit.rate.trials}; chance of as many: {chance:.2g}",
        passed=chance >= false_alarm,
        reason="",
        figures={"fired": fit.rate.hits, "trials": fit.rate.trials, "stated": fit.stated_rate, "chance": chance},
    )


def _check_threshold(
    rule: str, null: NullDistribution, rate: float, near: NDArray[np.bool_], pairs: Sequence[str]
) -> ControlCheck:
    scores, threshold = np.asarray(null.scores), null.threshold(rate)
    at_threshold = near & (scores >= threshold)
    highest = int(scores.argmax())
    return ControlCheck(
        rule=rule,
        expected="its threshold rests on no near copy of a training picture",
        got=f"{int(near.sum())} of {null.size} held-out pictures are near copies, {int(at_threshold.sum())} of them at the "
        f"threshold {threshold:.6g} or above; the highest, {scores[highest]:.6g}, is {pairs[highest]}",
        passed=not at_threshold.any(),
        reason="",
        figures={"near_copies": int(near.sum()), "at_threshold": int(at_threshold.sum()), "threshold": threshold},
    )
