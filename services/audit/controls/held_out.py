"""The held-out control: real pictures that were never trained on must fire no more often than is stated.

Rules, in order:

1. Every calibrated rule is checked: each half of the control is judged by the threshold of the other. The number that fires
   has an exact distribution where the rule does what it says, since any order of the scores is then equally likely; the
   check fails where so many fire that chance does it less than once in a thousand audits, all rules together.
2. Too few to tell: where even the largest possible number would not be that rare, the check is undefined.
3. A held-out picture that is a near copy of a training picture was not held out. Where the threshold of a rule rests on one,
   it hides copies, and the check fails.

Source: David and Nagaraja 2003, "Order Statistics", section 2.5, for exceedances (negative hypergeometric).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import nhypergeom

from services.audit.comparison.compare import Corpus, Matched
from services.audit.controls.outcome import ControlCheck
from shared.matching.calibration.null_distribution import ControlScores, NullDistribution, cross_fit, threshold_rank
from shared.matching.training_set.duplicates import NEAR_SSIM
from shared.matching.training_set.view_hashes import ViewHashes
from shared.vision.perceptual_hash import MATCH_DISTANCE, measure_distances

# A sound audit fails this control less often than this, whatever the pictures.
FALSE_ALARM = 1e-3
# Of flat or small views a hash says little; where SSIM is as near 1 as noise of a grey level leaves it, it is not asked.
SAME_SSIM = 0.99


def exceedance_tail(first: int, second: int, rank_first: int, rank_second: int, hits: int) -> float:
    """Return the chance that at least so many fire when two halves judge each other.

    Each half's threshold is its score of the given rank, counted from the highest; a picture of the other half fires above
    it. All orders of the scores are equally likely; equal scores fire less, so the figure is an upper bound for them.

    Args:
        first, second: pictures in each half.
        rank_first, rank_second: rank of each half's threshold, at least 1.
        hits: fired in both halves together.

    >>> round(exceedance_tail(2, 2, 1, 1, 1), 4), round(exceedance_tail(2, 2, 1, 1, 2), 4)
    (1.0, 0.3333)
    """
    one = _tail_when_first_is_reached_first(first, second, rank_first, rank_second, hits)
    other = _tail_when_first_is_reached_first(second, first, rank_second, rank_first, hits)
    return min(1.0, one + other)


def _tail_when_first_is_reached_first(first: int, second: int, rank: int, other_rank: int, hits: int) -> float:
    """Going down the joint order, the first half's threshold comes before the second's; `passed` of the second lie above it.

    From there on, the pictures of the first half above the second half's threshold are those of ranks up to its own threshold
    and `more` after it.
    """
    passed = np.arange(min(other_rank, second + 1))
    reached = nhypergeom.pmf(passed, first + second, second, rank)
    left_first, left_second = first - rank, second - passed
    needed = hits - passed - rank
    more = nhypergeom.sf(needed - 1, left_first + left_second, left_first, other_rank - passed)
    return float((reached * np.where(needed <= 0, 1.0, more)).sum())


def check_held_out(
    corpus: Corpus, control: Matched, control_ids: Sequence[str], scores: ControlScores, rate: float
) -> tuple[ControlCheck, ...]:
    """Check the control of an audit.

    Args:
        corpus: the training set.
        control: held-out pictures, matched in the corpus.
        control_ids: their items, in the same order.
        scores: what they came to by the calibrated rules.
        rate: chosen false-positive rate.
    """
    rules = sorted(scores.by_rule)
    fires = [check_rate(rule, scores.null(rule), rate, FALSE_ALARM / len(rules)) for rule in rules]
    matched = control.matches.index
    near = near_copies(control.matches.ssim, control.evidence.hashes, corpus.side.hashes[matched])
    pairs = [f"{one} (nearest {corpus.item_ids[int(at)]})" for one, at in zip(control_ids, matched, strict=True)]
    return (*fires, *(_check_threshold(rule, scores.null(rule), rate, near, pairs) for rule in rules))


def check_rate(rule: str, null: NullDistribution, rate: float, false_alarm: float) -> ControlCheck:
    """Check that no more of a control fire by a rule than chance explains.

    Args:
        rule: its name.
        null: what the control came to by it, at least four scores.
        rate: chosen false-positive rate.
        false_alarm: how rarely a sound control may fail, 0..1.
    """
    found = cross_fit(null, rate)
    sizes = (null.size + 1) // 2, null.size // 2
    ranks = threshold_rank(rate, sizes[0]), threshold_rank(rate, sizes[1])
    expected = (
        f"fires on {found.stated_rate:.3g} of held-out pictures; so many that chance has less than {false_alarm:.1g} is wrong"
    )
    largest = exceedance_tail(*sizes, *ranks, max(sizes[0] + ranks[1], sizes[1] + ranks[0]) - 1)
    if largest >= false_alarm:
        reason = f"a control of {null.size} is too small: {largest:.2g} of sound ones have the largest number there can be"
        return ControlCheck(rule, expected, "undefined", None, reason, {})
    chance = exceedance_tail(*sizes, *ranks, found.rate.hits)
    rate_seen = found.rate
    return ControlCheck(
        rule=rule,
        expected=expected,
        got=f"fires on {rate_seen.hits} of {rate_seen.trials}; chance of as many: {chance:.2g}",
        passed=chance >= false_alarm,
        reason="",
        figures={"fired": rate_seen.hits, "trials": rate_seen.trials, "stated": found.stated_rate, "chance": chance},
    )


def _check_threshold(
    rule: str, null: NullDistribution, rate: float, near: NDArray[np.bool_], pairs: Sequence[str]
) -> ControlCheck:
    scores, threshold = np.asarray(null.scores), null.threshold(rate)
    on_top = near & (scores >= threshold)
    highest = int(scores.argmax())
    return ControlCheck(
        rule=rule,
        expected="its threshold rests on no near copy of a training picture",
        got=f"{int(near.sum())} of {null.size} held-out pictures are near copies, {int(on_top.sum())} of them at the "
        f"threshold {threshold:.6g} or above; the highest, {scores[highest]:.6g}, is {pairs[highest]}",
        passed=not on_top.any(),
        reason="",
        figures={"near_copies": int(near.sum()), "at_threshold": int(on_top.sum()), "threshold": threshold},
    )


def near_copies(ssim: NDArray[np.float64], hashes: ViewHashes, matched: ViewHashes) -> NDArray[np.bool_]:
    """Say which pictures are near copies of what they match: by hash and SSIM, as duplicates within a training set are told,
    or by an SSIM that no two different pictures have.

    Args:
        ssim: float64 (B,), of each picture with its match.
        hashes: of the pictures.
        matched: of their matches.
    """
    pairs = zip(hashes.packed, matched.packed, strict=True)
    distances = np.array([measure_distances(one[None], other[None]).item() for one, other in pairs])
    clear = hashes.defined & matched.defined
    return np.asarray((ssim >= NEAR_SSIM) & ((clear & (distances <= MATCH_DISTANCE)) | (ssim >= SAME_SSIM)))
