"""The evidence of a check: search, best match, suite and p-value, and the result that is recorded of it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray
from sqlmodel import Session

from services.output_gate.checks.match_kinds import SeenPairs
from services.output_gate.checks.timings import Timings
from services.output_gate.gate import Gate, ReadyModel
from services.output_gate.results.matched_items import describe_cluster_owners, describe_items
from services.output_gate.results.schemas import CheckResult, ClusterOwner, KindFigures, MatchedItem, Metrics, RuleFinding
from shared.errors import CorruptStateError
from shared.index.vector_index import is_searched_exactly
from shared.ledger.body_fields import UNSPECIFIED
from shared.matching.calibration.decision import Decision, RuleScore, decide_by_any, undecided
from shared.matching.copy_detection.copy_embedder import RECIPE as COPY_RECIPE
from shared.matching.copy_detection.match_classification import MatchMeasurements, classify
from shared.matching.panel.comparison_block import ComparisonBlock, CopyScores
from shared.matching.panel.panel import RuleResult, evaluate
from shared.matching.ssim_search.best_match import find_best_matches
from shared.matching.training_set.view_hashes import hash_views
from shared.records.cluster_owners import Cluster
from shared.records.manifests import Manifest, load_manifest
from shared.records.models import Model
from shared.vision.similarity.metrics import measure_similarity
from shared.vision.views import Pixels, ViewRecipe, build_view, view_to_image

# Items of the match's cluster that are described; the ids of all are given.
MAX_MATCHES = 20

log = structlog.get_logger()


@dataclass(frozen=True)
class CheckEvidence:
    """A decision, and what it rests on where it could be made; items by their ids."""

    decision: Decision
    rule: str | None = None
    item: str | None = None
    cluster: tuple[str, ...] = ()
    rules: tuple[RuleFinding, ...] = ()
    # Of the item.
    kind_figures: KindFigures | None = None
    metrics: Metrics | None = None
    control_size: int | None = None
    calibration_sha256: str | None = None
    # This generation's share of the time that each step took, in milliseconds.
    timings_ms: Mapping[str, float] = field(default_factory=dict)


def view_recipe(model: Model) -> ViewRecipe:
    """Return the recipe of the views in which a model's generations are compared."""
    return ViewRecipe(resolution_px=model.resolution_px, channels=model.channels)


def find_evidence_of_views(gate: Gate, model: Model, views: Pixels) -> list[CheckEvidence]:
    """Compare generations with what their model was trained on: one search, one pass of every step for all of them.

    Args:
        gate: index, policy and workspace.
        model: which model made them.
        views: uint8 (G, C, H, W), their views by `view_recipe`, at least one.

    Returns:
        The evidence of each; undecided where a rule of the policy is undefined for it and none fires.

    Raises:
        NotReadyError: the model cannot be checked against yet.
        CorruptStateError: the search names an item outside the manifest.
    """
    timings = Timings()
    with timings.step("ready"):
        ready = gate.load_ready_model(model)
        corpus = ready.corpus
    with timings.step("embed"):
        pictures = [view_to_image(view).convert("RGB") for view in views]
        vectors = gate.embedder.embed(pictures)
    with timings.step("search"):
        shortlists, cosines = _search(gate, ready, vectors)
    with timings.step("compare"):
        matches = find_best_matches(views, corpus.side.views, shortlists, means=corpus.means)
    with timings.step("detect"):
        # The detector sees what the audit shows it: the view of the model's resolution, brought to its own.
        pairs = SeenPairs.detect(corpus.detector, np.stack([build_view(picture, COPY_RECIPE) for picture in pictures]))
    with timings.step("rules"):
        found = CopyScores(pairs.found.scores, pairs.found.items)
        seen = ComparisonBlock(corpus.side, views, shortlists, cosines, matches.index, matches.ssim, hash_views(views), found)
        outcomes = {outcome.rule.name: outcome for outcome in evaluate(ready.panel, seen)}
    with timings.step("measure"):
        decided = _decide(gate, ready, views, outcomes, pairs)
    shares = timings.divided_by(len(views))
    return [replace(one, timings_ms=shares) for one in decided]


def _decide(
    gate: Gate, ready: ReadyModel, views: Pixels, outcomes: Mapping[str, RuleResult], pairs: SeenPairs
) -> list[CheckEvidence]:
    """Decide by the policy's rules, and measure the suite on the items that the deciding ones name."""
    found = [_decide_one(gate, ready, outcomes, at) for at in range(len(views))]
    # Where a rule names no item the first one stands in for it, and nothing is told of the pair.
    rows = np.array([max(int(outcomes[rule].scores.items[at]), 0) for at, (rule, _) in enumerate(found)])
    suite = measure_similarity(np.ascontiguousarray(ready.corpus.side.views[rows]), views)
    decided = []
    for at, (row, (rule, decision)) in enumerate(zip(rows.tolist(), found, strict=True)):
        if decision.score is None:
            log.warning("check_undecided", model=ready.model.id, reason=decision.reason)
            decided.append(CheckEvidence(decision))
            continue
        asked_of = None if decision.outcome == "clear" else rule
        findings = {name: _finding(ready, outcome, at, pairs, asked_of) for name, outcome in outcomes.items()}
        figures = findings[rule][1]
        decided.append(
            CheckEvidence(
                decision=decision,
                rule=rule,
                item=ready.corpus.item_ids[row],
                cluster=tuple(ready.corpus.item_ids[member] for member in ready.corpus.side.clusters.members(row)),
                rules=tuple(finding for finding, _ in findings.values()),
                kind_figures=KindFigures(**asdict(figures)) if figures else None,
                metrics=Metrics(**suite.row(at)),
                control_size=ready.scores.null(rule).size,
                calibration_sha256=ready.scores.sha256,
            )
        )
    return decided


def _decide_one(gate: Gate, ready: ReadyModel, outcomes: Mapping[str, RuleResult], at: int) -> tuple[str, Decision]:
    """Return which rule decides about one generation, and the decision; undecided where a rule says nothing and none fires."""
    rules = gate.content.deciding_rules
    judged = [RuleScore(float(outcomes[rule].scores.values[at]), ready.scores.null(rule)) for rule in rules]
    chosen, decision = decide_by_any(judged, gate.content.flag_bound, gate.content.borderline_bound)
    return rules[chosen], undecided("rule_undefined") if decision.reason == "score_undefined" else decision


def _search(gate: Gate, ready: ReadyModel, vectors: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the shortlists of generations as rows of the manifest, and the cosines, each of shape (G, K)."""
    corpus = ready.corpus
    if corpus.vectors is not None:
        rows, cosines = corpus.vectors.nearest(vectors, gate.content.neighbours)
        return rows, cosines.astype(np.float64)
    found = gate.index.neighbours_many(vectors, gate.content.neighbours, corpus.manifest.id, exact=False)
    width = min(gate.content.neighbours, corpus.manifest.size)
    short = [len(one) for one in found if len(one) != width]
    if short:
        raise CorruptStateError(f"search found {short[0]} of {width} items", code="search_short")
    try:
        rows = np.array([[corpus.position[one.item_id] for one in each] for each in found], dtype=np.int64)
    except KeyError as error:
        raise CorruptStateError(f"search named item {error} outside the manifest", code="search_foreign_item") from error
    return rows, np.array([[one.cosine for one in each] for each in found], dtype=np.float64)


def _finding(
    ready: ReadyModel, outcome: RuleResult, at: int, pairs: SeenPairs, asked_of: str | None
) -> tuple[RuleFinding, MatchMeasurements | None]:
    """Spell what a rule found, and how its item lies there; `asked_of` is the rule whose pair has to have a kind."""
    row = outcome.row(at)
    if row["item"] is None:
        return RuleFinding(**row), None
    figures = pairs.figures_of(at, row["item"], decides=outcome.rule.name == asked_of)
    kind = classify(figures) if figures else None
    return RuleFinding(**row | {"kind": kind, "item": ready.corpus.item_ids[row["item"]]}), figures


def build_results(session: Session, gate: Gate, model: Model, evidence: Sequence[CheckEvidence]) -> list[CheckResult]:
    """Build what is recorded of checks of one model."""
    manifest = load_manifest(session, model.manifest_id)
    named = [_named_items(one) for one in evidence]
    described = describe_items(session, [item_id for ids in named for item_id in ids])
    index = gate.index.describe(gate.content.neighbours, exact=is_searched_exactly(manifest.size))
    matches = [[described[item_id] for item_id in ids] for ids in named]
    # What is clear owes nobody, and is most of what is asked: whom its nearest item's duplicates name is not looked up.
    asked = [one.cluster if one.decision.outcome != "clear" else () for one in evidence]
    clusters = [Cluster(one.item or "", cluster) for one, cluster in zip(evidence, asked, strict=True)]
    owners = describe_cluster_owners(session, clusters)
    return [
        _build_result(gate, manifest, one, items, named_by, index)
        for one, items, named_by in zip(evidence, matches, owners, strict=True)
    ]


def _named_items(evidence: CheckEvidence) -> list[str]:
    """Return the ids of the items to be described: the one that decides first, then others of its cluster."""
    if evidence.item is None:
        return []
    others = [one for one in evidence.cluster if one != evidence.item]
    return [evidence.item, *others[: MAX_MATCHES - 1]]


def _build_result(
    gate: Gate,
    manifest: Manifest,
    evidence: CheckEvidence,
    matches: list[MatchedItem],
    owners: list[ClusterOwner],
    index: dict[str, Any],
) -> CheckResult:
    decision = evidence.decision
    deciding = next((one for one in evidence.rules if one.rule == evidence.rule), None)
    kind = UNSPECIFIED if deciding is None or deciding.kind is None else deciding.kind
    return CheckResult(
        decision=decision.outcome,
        reason=decision.reason,
        matches=matches,
        cluster=list(evidence.cluster),
        cluster_owners=owners,
        kind=kind if matches else None,
        kind_figures=evidence.kind_figures,
        rules=list(evidence.rules),
        metrics=evidence.metrics,
        rule=evidence.rule,
        score=decision.score,
        p_value=decision.p_value,
        threshold=decision.threshold,
        borderline_threshold=decision.borderline_threshold,
        requested_rate=gate.content.false_positive_rate,
        attained_rate=decision.attained_rate,
        control_size=evidence.control_size,
        calibration_sha256=evidence.calibration_sha256,
        manifest_root=manifest.root,
        policy=f"{gate.content.name} v{gate.content.version}",
        policy_sha256=gate.content.sha256,
        embedder=f"{gate.embedder.name} {gate.embedder.sha256[:12]}",
        index=index,
    )
