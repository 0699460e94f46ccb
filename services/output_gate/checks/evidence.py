"""The evidence of a check: search, best match, suite and p-value, and the result that is recorded of it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlmodel import Session

from services.output_gate.checks.schemas import CheckResult, MatchedItem, MatchedOwner, Metrics
from services.output_gate.gate import Gate, ReadyModel
from shared.errors import CorruptStateError
from shared.index.edge import ENGINE
from shared.matching.best_match import find_best_matches
from shared.matching.decision import Decision, decide
from shared.records.items import Item, is_contested, load_owners
from shared.records.manifests import load_manifest
from shared.records.models import Model
from shared.vision.images import DecodedImage
from shared.vision.views import build_view, view_to_image

# Up to this many items a search compares with every vector; above, it walks the graph once the engine has built one.
EXACT_UP_TO_ITEMS = 100_000


@dataclass(frozen=True)
class Evidence:
    """A decision, and what it rests on where it could be made."""

    decision: Decision
    item: Item | None = None
    metrics: Metrics | None = None
    control_size: int | None = None
    calibration_sha256: str | None = None


def find_evidence(gate: Gate, model: Model, image: DecodedImage) -> Evidence:
    """Compare a generation with what its model was trained on.

    Raises:
        NotReadyError: the model cannot be checked against yet.
        CorruptStateError: the search names an item outside the manifest.
    """
    ready = gate.load_ready_model(model)
    view = build_view(image.pixels, ready.recipe)[None]
    [vector] = gate.embedder.embed([view_to_image(view[0]).convert("RGB")])
    shortlist = _search(gate, ready, vector)
    matches = find_best_matches(view, ready.views, shortlist[None])
    return Evidence(
        decision=decide(float(matches.ssim[0]), ready.null, gate.content.false_positive_rate),
        item=ready.items[int(matches.index[0])],
        metrics=Metrics(**matches.suite.row(0)),
        control_size=ready.null.size,
        calibration_sha256=ready.null.sha256,
    )


def _search(gate: Gate, ready: ReadyModel, vector: NDArray[np.float32]) -> NDArray[np.int64]:
    exact = ready.manifest.size <= EXACT_UP_TO_ITEMS
    found = gate.index.neighbours(vector, gate.content.neighbours, ready.manifest.id, exact=exact)
    if not found:
        raise CorruptStateError(f"search found none of {ready.manifest.size} items", code="search_empty")
    try:
        return np.array([ready.position[one.item_id] for one in found], dtype=np.int64)
    except KeyError as error:
        raise CorruptStateError(f"search named item {error} outside the manifest", code="search_foreign_item") from error


def build_result(session: Session, gate: Gate, model: Model, evidence: Evidence) -> CheckResult:
    """Build what is recorded of a check."""
    decision = evidence.decision
    manifest = load_manifest(session, model.manifest_id)
    return CheckResult(
        decision=decision.outcome,
        reason=decision.reason,
        match=_matched_item(session, evidence.item) if evidence.item else None,
        metrics=evidence.metrics,
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
        index={"engine": ENGINE, "exact": manifest.size <= EXACT_UP_TO_ITEMS, "cursor": gate.index.cursor},
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
