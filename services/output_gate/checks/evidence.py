"""The evidence of a check: search, best match, suite and p-value, and the result that is recorded of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray
from sqlmodel import Session

from services.output_gate.checks.schemas import CheckResult, MatchedItem, MatchedOwner, Metrics, RuleFinding
from services.output_gate.gate import Gate, ReadyModel
from shared.errors import CorruptStateError
from shared.index.index import is_searched_exactly
from shared.matching.best_match import find_best_matches
from shared.matching.copy_detection.embedder import RECIPE as COPY_RECIPE
from shared.matching.decision import Decision, decide, undecided
from shared.matching.rules.evidence import CopyScores, Evidence
from shared.matching.rules.panel import RuleOutcome, evaluate
from shared.matching.view_hashes import hash_views
from shared.records.items import Item, ItemOwner, is_contested, load_owners
from shared.records.manifests import Manifest, load_manifest
from shared.records.models import Model
from shared.records.parties import Party
from shared.vision.similarity.suite import measure
from shared.vision.views import Pixels, ViewRecipe, build_view, view_to_image

log = structlog.get_logger()


@dataclass(frozen=True)
class CheckEvidence:
    """A decision, and what it rests on where it could be made."""

    decision: Decision
    item: Item | None = None
    cluster: tuple[Item, ...] = ()
    rules: tuple[RuleFinding, ...] = ()
    metrics: Metrics | None = None
    control_size: int | None = None
    calibration_sha256: str | None = None


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
        The evidence of each; undecided where the policy's rule is undefined for it.

    Raises:
        NotReadyError: the model cannot be checked against yet.
        CorruptStateError: the search names an item outside the manifest.
    """
    ready = gate.load_ready_model(model)
    pictures = [view_to_image(view).convert("RGB") for view in views]
    shortlists, cosines = _search(gate, ready, gate.embedder.embed(pictures))
    matches = find_best_matches(views, ready.side.views, shortlists)
    # The detector sees what the audit shows it: the view of the model's resolution, brought to its own.
    copies = ready.detector.detect(np.stack([build_view(picture, COPY_RECIPE) for picture in pictures]))
    found = CopyScores(copies.scores, copies.items)
    seen = Evidence(ready.side, views, shortlists, cosines, matches.index, matches.ssim, hash_views(views), found)
    return _decide(gate, ready, views, {outcome.rule.name: outcome for outcome in evaluate(ready.panel, seen)})


def _decide(gate: Gate, ready: ReadyModel, views: Pixels, outcomes: Mapping[str, RuleOutcome]) -> list[CheckEvidence]:
    """Decide by the policy's rule, and measure the suite on the items that it names."""
    chosen, null = outcomes[gate.content.rule], ready.scores.null(gate.content.rule)
    # Where the rule names no item the first one stands in for it, and nothing is told of the pair.
    rows = np.maximum(chosen.scores.items, 0)
    suite = measure(np.ascontiguousarray(ready.side.views[rows]), views)
    decided = []
    for at, row in enumerate(rows.tolist()):
        if not chosen.defined[at]:
            log.warning("check_undecided", model=ready.model.id, reason="rule_undefined", why=chosen.scores.undefined[at])
            decided.append(CheckEvidence(undecided("rule_undefined")))
            continue
        decided.append(
            CheckEvidence(
                decision=decide(float(chosen.scores.values[at]), null, gate.content.flag_bound, gate.content.borderline_bound),
                item=ready.items[row],
                cluster=tuple(ready.items[member] for member in ready.side.clusters.members(row)),
                rules=tuple(_finding(ready, outcome, at) for outcome in outcomes.values()),
                metrics=Metrics(**suite.row(at)),
                control_size=null.size,
                calibration_sha256=ready.scores.sha256,
            )
        )
    return decided


def _search(gate: Gate, ready: ReadyModel, vectors: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the shortlists of generations as rows of the manifest, and the cosines, each of shape (G, K)."""
    exact = is_searched_exactly(ready.manifest.size)
    found = gate.index.neighbours_many(vectors, gate.content.neighbours, ready.manifest.id, exact=exact)
    width = min(gate.content.neighbours, ready.manifest.size)
    short = [len(one) for one in found if len(one) != width]
    if short:
        raise CorruptStateError(f"search found {short[0]} of {width} items", code="search_short")
    try:
        rows = np.array([[ready.position[one.item_id] for one in each] for each in found], dtype=np.int64)
    except KeyError as error:
        raise CorruptStateError(f"search named item {error} outside the manifest", code="search_foreign_item") from error
    return rows, np.array([[one.cosine for one in each] for each in found], dtype=np.float64)


def _finding(ready: ReadyModel, outcome: RuleOutcome, at: int) -> RuleFinding:
    row = outcome.row(at)
    item = None if row["item"] is None else ready.items[row["item"]].id
    return RuleFinding(**row | {"item": item})


def build_results(session: Session, gate: Gate, model: Model, evidence: Sequence[CheckEvidence]) -> list[CheckResult]:
    """Build what is recorded of checks of one model."""
    manifest = load_manifest(session, model.manifest_id)
    items = {one.item.id: one.item for one in evidence if one.item}
    owners = load_owners(session, list(items))
    matched = {item.id: _matched_item(session, item, owners[item.id]) for item in items.values()}
    index = gate.index.describe(gate.content.neighbours, exact=is_searched_exactly(manifest.size))
    return [_build_result(gate, manifest, one, matched[one.item.id] if one.item else None, index) for one in evidence]


def _build_result(
    gate: Gate, manifest: Manifest, evidence: CheckEvidence, match: MatchedItem | None, index: dict[str, Any]
) -> CheckResult:
    decision = evidence.decision
    return CheckResult(
        decision=decision.outcome,
        reason=decision.reason,
        match=match,
        cluster=[one.id for one in evidence.cluster],
        rules=list(evidence.rules),
        metrics=evidence.metrics,
        rule=gate.content.rule,
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


def _matched_item(session: Session, item: Item, named: Sequence[tuple[ItemOwner, Party]]) -> MatchedItem:
    owners = [
        MatchedOwner(name=party.name, url=party.url or None, role=owner.role, basis=owner.basis, confidence=owner.confidence)
        for owner, party in named
    ]
    return MatchedItem(
        id=item.id,
        dataset=item.dataset,
        source_key=item.source_key,
        sha256=item.blob_sha256,
        title=item.title,
        licence=item.licence,
        source_url=item.source_url,
        contested=is_contested(session, item.blob_sha256),
        owners=owners,
    )
