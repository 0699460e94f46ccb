"""The judgement of a check: what the rules find among the nearest items, and what the policy decides by that.

Rules, in order:

1. Every rule of the panel scores every generation; the policy's rules decide (`shared.matching.calibration.decision`).
2. The copy detector lays its own match over each generation. A rule that names the same item speaks of the same pair, and
   learns from it in which way the generation shows the item.
3. Where the rule that flags, or asks for a person, names another item, that one is laid over the generation as well. Of any
   other pair nothing is measured.
4. A generation that is shown in several ways (frames, backgrounds) is judged in each. The one that says most decides, at its
   share of the rates, and search, rules and metrics of the answer are those of that one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from itertools import accumulate

import numpy as np
import structlog
from PIL.Image import Image

from services.output_gate.checks.search import Shortlists
from services.output_gate.checks.timings import Timings
from services.output_gate.checks.works import look_for_works, measure_kind, name_works
from services.output_gate.gate import WORKS, Gate, ReadyModel
from services.output_gate.results.schemas import JudgedVariant, KindFigures, Metrics, PlacedWork, RuleFinding
from shared.errors import InputError
from shared.matching.calibration.decision import Decision, RuleScore, decide_by_any, undecided
from shared.matching.copy_detection import CopyDetector, Detections
from shared.matching.copy_detection.copy_embedder import RECIPE as COPY_RECIPE
from shared.matching.copy_detection.match_classification import MatchMeasurements, classify, measure_matches, measure_pair
from shared.matching.panel.comparison_block import ComparisonBlock, ItemScores
from shared.matching.panel.panel import RuleResult, evaluate
from shared.matching.ssim_search.best_ssim import best_ssim
from shared.matching.ssim_search.ssim_terms import BoundedViews
from shared.matching.ssim_search.turned_ssim import best_turned_ssim
from shared.matching.training_set.view_hashes import hash_views
from shared.matching.whole_picture.detector import PictureDetections, best_works
from shared.vision.views import Pixels, build_view

# What an earlier calibration has no scores of, and need not be searched for then.
TURNED_RULE = "ssim-turned"

log = structlog.get_logger()


@dataclass(frozen=True)
class CheckEvidence:
    """A decision, and what it rests on where it could be made; items by their ids.

    Attributes:
        decision: what was decided.
        rule: the rule that decided.
        item: the item that its score belongs to.
        cluster: the item's near duplicates, itself included.
        rules: what each rule of the panel found.
        kind_figures: how the item lies in the generation.
        metrics: the similarity metrics of the pair.
        control_size: scores of the control that the rule was judged by.
        calibration_sha256: where that control is on record.
        works: the works that the generation shows, likeliest first.
        unexamined: share of its area that was not examined; None where whole pictures were not compared.
        look: of several ways in which the generation is shown, the one that decided, from 0.
        variant: the same as it is answered; None for a file of one frame without transparency.
        timings_ms: this generation's share of the time that each step took.
    """

    decision: Decision
    rule: str | None = None
    item: str | None = None
    cluster: tuple[str, ...] = ()
    rules: tuple[RuleFinding, ...] = ()
    kind_figures: KindFigures | None = None
    metrics: Metrics | None = None
    control_size: int | None = None
    calibration_sha256: str | None = None
    works: tuple[PlacedWork, ...] = ()
    unexamined: float | None = None
    look: int = 0
    variant: JudgedVariant | None = None
    timings_ms: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class CopyMatches:
    """Generations as the copy detector sees them, beside the match that it found for each.

    Attributes:
        detector: with the corpus that items are rows of.
        views: uint8 (G, 3, 64, 64).
        detections: its match of each.
    """

    detector: CopyDetector
    views: Pixels
    detections: Detections

    @cached_property
    def measurements(self) -> Sequence[MatchMeasurements | None]:
        """How the match lies in each generation; None without one."""
        return measure_matches(self.views, self.detector.views, self.detections)

    def measure(self, at: int, item: int, *, decides: bool) -> MatchMeasurements | None:
        """Return how an item lies in a generation; None where nothing was measured.

        Args:
            at: which generation.
            item: row of the corpus.
            decides: rule 3: it is laid over the generation where that was not done yet.
        """
        measurements = self.measurements[at] if item == self.detections.items[at] else None
        return measure_pair(self.detector, self.views[at], item) if measurements is None and decides else measurements


@dataclass(frozen=True)
class Shown:
    """Generations as they are judged.

    Attributes:
        views: uint8 (V, C, H, W), at least one.
        pictures: the views as pictures.
        wholes: the whole picture of each view.
        looks: how many of the views are of each generation, in order.
    """

    views: Pixels
    pictures: Sequence[Image]
    wholes: Sequence[Image]
    looks: Sequence[int]


def judge(gate: Gate, ready: ReadyModel, shown: Shown, shortlists: Shortlists, timings: Timings) -> list[CheckEvidence]:
    """Judge generations by what they resemble.

    Args:
        gate: whose policy decides.
        ready: corpus, control and panel of the model.
        shown: the generations.
        shortlists: the nearest items of each view.
        timings: get the duration of each step.

    Returns:
        The evidence of each; undecided where a rule of the policy is undefined for it and none fires.

    Raises:
        InputError: a shortlist is empty.
    """
    corpus, views = ready.corpus, shown.views
    bounded = BoundedViews(corpus.side.views, corpus.means)
    with timings.step("compare"):
        items, ssim = best_ssim(views, bounded, shortlists.rows)
        if (items < 0).any():
            raise InputError(f"expected a candidate for every generation, got none for {int((items < 0).sum())}")
    with timings.step("detect"):
        # The detector sees what the audit shows it: the view of the model's resolution, brought to its own.
        copy_views = np.stack([build_view(picture, COPY_RECIPE) for picture in shown.pictures])
        copies = CopyMatches(corpus.detector, copy_views, corpus.detector.detect(copy_views, orientations=ready.orientations))
        _ = copies.measurements
    with timings.step("compare"):
        turned = None
        if TURNED_RULE in ready.scores.by_rule:
            named = copies.detections.items
            found, scores = best_turned_ssim(views, bounded, shortlists.rows, named, (items, ssim))
            turned = ItemScores(scores, found)
    with timings.step("works"):
        works = look_for_works(ready, shown.wholes, shortlists.rows)
    with timings.step("rules"):
        copy_scores = ItemScores(copies.detections.scores, copies.detections.items)
        work_scores = None if works is None else best_works(works)
        hashes = hash_views(views)
        near = shortlists.rows, shortlists.cosines
        block = ComparisonBlock(corpus.side, views, *near, items, ssim, hashes, copy_scores, turned, work_scores)
        results = {result.rule.name: result for result in evaluate(ready.panel, block)}
    with timings.step("measure"):
        return _decide_all(gate, ready, shown, results, copies, works)


@dataclass(frozen=True)
class _Choice:
    """What decides about a generation: the rule, the view by its place among all, and the first of its views."""

    rule: str
    at: int
    first: int
    looks: int
    decision: Decision


def _decide_all(
    gate: Gate,
    ready: ReadyModel,
    shown: Shown,
    results: Mapping[str, RuleResult],
    copies: CopyMatches,
    works: Sequence[PictureDetections] | None,
) -> list[CheckEvidence]:
    """Decide by the policy's rules, and measure the similarity to the items that the deciding ones name."""
    firsts = [0, *accumulate(shown.looks)]
    choices = [_decide(gate, ready, results, first, count) for first, count in zip(firsts, shown.looks, strict=False)]
    # Where a rule names no item the first one stands in for it, and nothing is answered about the pair.
    items = np.array([max(int(results[choice.rule].scores.items[choice.at]), 0) for choice in choices])
    chosen = np.ascontiguousarray(shown.views[[choice.at for choice in choices]])
    metrics = gate.measure_pairs(np.ascontiguousarray(ready.corpus.side.views[items]), chosen)
    return [
        _add_works(gate, ready, _build_evidence(gate, ready, results, copies, choice, int(item), measured), choice, works)
        for choice, item, measured in zip(choices, items, metrics, strict=True)
    ]


def _add_works(
    gate: Gate, ready: ReadyModel, evidence: CheckEvidence, choice: _Choice, works: Sequence[PictureDetections] | None
) -> CheckEvidence:
    """Name the works that the deciding look shows; undecided where too much of it was not examined and nothing fired."""
    if works is None or evidence.item is None:
        return evidence
    looks = range(choice.first, choice.first + choice.looks)
    unexamined = max(works[at].unexamined for at in looks)
    shown = name_works(gate, ready, works[choice.at], choice.looks)
    named = replace(evidence, works=shown, unexamined=round(unexamined, 4))
    if shown and evidence.rule == WORKS and evidence.item == shown[0].item:
        # How it is shown is told by where it lies in the whole picture, not by what the centre square shows of it.
        kind = {"kind": shown[0].kind}
        rules = tuple(found.model_copy(update=kind) if found.rule == WORKS else found for found in evidence.rules)
        named = replace(named, rules=rules, kind_figures=measure_kind(works[choice.at].matches[0], evidence.kind_figures))
    most = gate.content.most_unexamined
    if most is None or unexamined <= most or evidence.decision.outcome != "clear":
        return named
    return replace(named, decision=replace(evidence.decision, outcome="undecided", reason="not_all_examined"))


def _decide(gate: Gate, ready: ReadyModel, results: Mapping[str, RuleResult], first: int, looks: int) -> _Choice:
    """Choose what decides about one generation; undecided where a rule says nothing and none fires."""
    rules = gate.content.deciding_rules
    scores = [
        RuleScore(float(results[rule].scores.values[at]), ready.scores.null(rule))
        for at in range(first, first + looks)
        for rule in rules
    ]
    chosen, decision = decide_by_any(scores, gate.content.flag_bound, gate.content.borderline_bound, looks=looks)
    look, rule = divmod(chosen, len(rules))
    decided = undecided("rule_undefined") if decision.reason == "score_undefined" else decision
    return _Choice(rules[rule], first + look, first, looks, decided)


def _build_evidence(
    gate: Gate,
    ready: ReadyModel,
    results: Mapping[str, RuleResult],
    copies: CopyMatches,
    choice: _Choice,
    item: int,
    metrics: Metrics,
) -> CheckEvidence:
    decision, rule = choice.decision, choice.rule
    if decision.score is None:
        log.warning("check_undecided", model=ready.model.id, reason=decision.reason)
        return CheckEvidence(decision)
    corpus = ready.corpus
    needs_kind = None if decision.outcome == "clear" else rule
    thresholds = _thresholds_per_look(gate, ready, choice.looks)
    findings = {
        name: _build_finding(ready, result, choice.at, copies, needs_kind, thresholds.get(name))
        for name, result in results.items()
    }
    measurements = findings[rule][1]
    return CheckEvidence(
        decision=decision,
        rule=rule,
        item=corpus.item_ids[item],
        cluster=tuple(corpus.cluster_ids(item)),
        rules=tuple(finding for finding, _ in findings.values()),
        kind_figures=KindFigures(**asdict(measurements)) if measurements else None,
        metrics=metrics,
        control_size=ready.scores.null(rule).size,
        calibration_sha256=ready.scores.sha256,
        look=choice.at - choice.first,
    )


def _thresholds_per_look(gate: Gate, ready: ReadyModel, looks: int) -> dict[str, float]:
    """Return the thresholds of the deciding rules where several looks share the rate; nothing for one look."""
    if looks == 1:
        return {}
    rules = gate.content.deciding_rules
    bound = gate.content.flag_bound.divided_by(len(rules)).per_look(looks)
    return {rule: bound.threshold(ready.scores.null(rule)) for rule in rules}


def _build_finding(
    ready: ReadyModel,
    result: RuleResult,
    at: int,
    copies: CopyMatches,
    needs_kind: str | None,
    threshold: float | None,
) -> tuple[RuleFinding, MatchMeasurements | None]:
    """Build what a rule found, and how its item lies there.

    `needs_kind` is the rule whose pair has to have a kind; `threshold` goes before the rule's own where it is given.
    """
    row = result.row(at)
    if threshold is not None and row["score"] is not None:
        row |= {"threshold": threshold, "verdict": "fired" if row["score"] > threshold else "not_fired"}
    if row["item"] is None:
        return RuleFinding(**row), None
    measurements = copies.measure(at, row["item"], decides=result.rule.name == needs_kind)
    kind = classify(measurements) if measurements else None
    return RuleFinding(**row | {"kind": kind, "item": ready.corpus.item_ids[row["item"]]}), measurements
