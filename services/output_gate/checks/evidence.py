"""The evidence of a check: search, best match, suite and p-value, and the result that is recorded of it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlmodel import Session

from services.output_gate.checks.schemas import CheckResult, MatchedItem, MatchedOwner, Metrics, RuleFinding
from services.output_gate.gate import Gate, NotReadyError, ReadyModel
from shared.errors import CorruptStateError
from shared.index.index import is_searched_exactly
from shared.matching.best_match import find_best_matches
from shared.matching.copy_detection.embedder import RECIPE as COPY_RECIPE
from shared.matching.decision import Decision, decide
from shared.matching.rules.evidence import CopyScores, Evidence
from shared.matching.rules.panel import RuleOutcome, evaluate
from shared.matching.view_hashes import hash_views
from shared.records.items import Item, is_contested, load_owners
from shared.records.manifests import load_manifest
from shared.records.models import Model
from shared.vision.images import DecodedImage
from shared.vision.similarity.suite import measure
from shared.vision.views import Pixels, build_view, view_to_image


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


def find_evidence(gate: Gate, model: Model, image: DecodedImage) -> CheckEvidence:
    """Compare a generation with what its model was trained on.

    Raises:
        NotReadyError: the model cannot be checked against yet.
        CorruptStateError: the search names an item outside the manifest.
    """
    ready = gate.load_ready_model(model)
    view = build_view(image.pixels, ready.recipe)[None]
    [vector] = gate.embedder.embed([view_to_image(view[0]).convert("RGB")])
    shortlist, cosines = _search(gate, ready, vector)
    matches = find_best_matches(view, ready.side.views, shortlist)
    # The detector sees what the audit shows it: the view of the model's resolution, brought to its own.
    copies = ready.detector.detect(build_view(view_to_image(view[0]).convert("RGB"), COPY_RECIPE)[None])
    found = CopyScores(copies.scores, copies.items)
    seen = Evidence(ready.side, view, shortlist, cosines, matches.index, matches.ssim, hash_views(view), found)
    outcomes = {outcome.rule.name: outcome for outcome in evaluate(ready.panel, seen)}
    return _decide(gate, ready, view, outcomes)


def _decide(gate: Gate, ready: ReadyModel, view: Pixels, outcomes: Mapping[str, RuleOutcome]) -> CheckEvidence:
    """Decide by the policy's rule, and measure the suite on the item that it names."""
    chosen, null = outcomes[gate.content.rule], ready.scores.null(gate.content.rule)
    if not chosen.defined[0]:
        raise NotReadyError(
            f"rule {gate.content.rule!r} is undefined here: {chosen.scores.undefined[0]}", code="rule_undefined"
        )
    row = int(chosen.scores.items[0])
    return CheckEvidence(
        decision=decide(float(chosen.scores.values[0]), null, gate.content.false_positive_rate),
        item=ready.items[row],
        cluster=tuple(ready.items[at] for at in ready.side.clusters.members(row)),
        rules=tuple(_finding(ready, outcome) for outcome in outcomes.values()),
        metrics=Metrics(**measure(ready.side.views[[row]], view).row(0)),
        control_size=null.size,
        calibration_sha256=ready.scores.sha256,
    )


def _search(gate: Gate, ready: ReadyModel, vector: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the shortlist of one generation as rows of the manifest, and the cosines, each of shape (1, K)."""
    exact = is_searched_exactly(ready.manifest.size)
    found = gate.index.neighbours(vector, gate.content.neighbours, ready.manifest.id, exact=exact)
    if not found:
        raise CorruptStateError(f"search found none of {ready.manifest.size} items", code="search_empty")
    try:
        rows = np.array([[ready.position[one.item_id] for one in found]], dtype=np.int64)
    except KeyError as error:
        raise CorruptStateError(f"search named item {error} outside the manifest", code="search_foreign_item") from error
    return rows, np.array([[one.cosine for one in found]], dtype=np.float64)


def _finding(ready: ReadyModel, outcome: RuleOutcome) -> RuleFinding:
    row = outcome.row(0)
    item = None if row["item"] is None else ready.items[row["item"]].id
    return RuleFinding(**row | {"item": item})


def build_result(session: Session, gate: Gate, model: Model, evidence: CheckEvidence) -> CheckResult:
    """Build what is recorded of a check."""
    decision = evidence.decision
    manifest = load_manifest(session, model.manifest_id)
    return CheckResult(
        decision=decision.outcome,
        reason=decision.reason,
        match=_matched_item(session, evidence.item) if evidence.item else None,
        cluster=[one.id for one in evidence.cluster],
        rules=list(evidence.rules),
        metrics=evidence.metrics,
        rule=gate.content.rule,
        score=decision.score,
        p_value=decision.p_value,
        threshold=decision.threshold,
        requested_rate=gate.content.false_positive_rate,
        attained_rate=decision.attained_rate,
        control_size=evidence.control_size,
        calibration_sha256=evidence.calibration_sha256,
        manifest_root=manifest.root,
        policy=f"{gate.content.name} v{gate.content.version}",
        policy_sha256=gate.content.sha256,
        embedder=f"{gate.embedder.name} {gate.embedder.sha256[:12]}",
        index=gate.index.describe(gate.content.neighbours, exact=is_searched_exactly(manifest.size)),
    )


def _matched_item(session: Session, item: Item) -> MatchedItem:
    owners = [
        MatchedOwner(name=party.name, url=party.url or None, role=owner.role, basis=owner.basis, confidence=owner.confidence)
        for owner, party in load_owners(session, [item.id])[item.id]
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
