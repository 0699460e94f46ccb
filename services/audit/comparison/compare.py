"""Comparison: the matched generations of a model, judged by the control of its slice.

Rules, in order:

1. A generation is a copy where its best SSIM exceeds the control's threshold at the chosen rate.
2. Two counts: the share of generations that are copies, and the distinct training items they copy.
3. Every rule of the panel judges generations and control alike; the outcomes stand side by side.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.audit.comparison.matching import Matched
from services.audit.comparison.slice_calibration import SliceCalibration
from shared.errors import InputError
from shared.matching.calibration.null_distribution import CrossFit, NullDistribution, cross_fit
from shared.matching.calibration.rate_intervals import Rate, build_rate
from shared.matching.panel.panel import Agreement, RuleResult, build_agreement, build_panel, evaluate
from shared.matching.ssim_search.best_match import BestMatches

# The rule by which the headline of an audit says "copy"; the study's own procedure.
HEADLINE_RULE = "ssim"


@dataclass(frozen=True)
class Comparison:
    """The figures of a model's generations and of its control.

    `panel` and `control_panel` hold one outcome for each rule, in the same order, for generations and for the control.
    """

    matches: BestMatches
    p_values: NDArray[np.float64]
    fired: NDArray[np.bool_]
    null: NullDistribution
    threshold: float
    attained_rate: float
    control_check: CrossFit
    copies: Rate
    copied_items: tuple[str, ...]
    panel: tuple[RuleResult, ...]
    control_panel: tuple[RuleResult, ...]
    agreement: list[Agreement]


def compare(calibration: SliceCalibration, generations: Matched, rate: float) -> Comparison:
    """Judge matched generations by a control.

    Args:
        calibration: of the model's slice.
        generations: the model's, matched with the corpus of that slice.
        rate: chosen false-positive rate, 0 < rate ≤ 0.5.

    Raises:
        InputError: no generations, or a rate out of range.
    """
    matches, scores = generations.matches, calibration.scores
    if len(matches.ssim) == 0 or not 0 < rate <= 0.5:
        raise InputError(f"expected generations and a rate in (0, 0.5], got {len(matches.ssim)} and {rate}")
    null = scores.null(HEADLINE_RULE)
    fired = null.fires(matches.ssim, rate)
    rules = build_panel(scores, rate, scores.pipeline["embedder"])
    panel = evaluate(rules, generations.evidence)
    return Comparison(
        matches=matches,
        p_values=null.p_values(matches.ssim),
        fired=fired,
        null=null,
        threshold=null.threshold(rate),
        attained_rate=null.attained_rate(rate),
        control_check=cross_fit(null, rate),
        copies=build_rate(int(fired.sum()), len(matches.ssim)),
        copied_items=calibration.corpus.ids_of(matches.index[fired]),
        panel=panel,
        control_panel=evaluate(rules, calibration.matched_control.evidence),
        agreement=build_agreement(panel),
    )
