"""Results of checks: evidence together with the items that it names, as they are recorded."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlmodel import Session

from services.output_gate.checks.judgement import CheckEvidence
from services.output_gate.gate import Gate
from services.output_gate.results.matched_items import describe_cluster_owners, describe_items
from services.output_gate.results.schemas import CheckResult, ClusterOwner, MatchedItem, ShownWork
from shared.index.vector_index import is_searched_exactly
from shared.ledger.body_fields import UNSPECIFIED
from shared.records.cluster_owners import Cluster
from shared.records.manifests import Manifest, load_manifest
from shared.records.models import Model

# Items of the match's cluster that are described; the ids of all are given.
MAX_MATCHES = 20


def build_results(session: Session, gate: Gate, model: Model, evidence: Sequence[CheckEvidence]) -> list[CheckResult]:
    """Build what is recorded of checks of one model."""
    manifest = load_manifest(session, model.manifest_id)
    named = [_named_items(single) for single in evidence]
    works = [work.item for single in evidence for work in single.works]
    items = describe_items(session, [*(item_id for item_ids in named for item_id in item_ids), *works])
    index = gate.index.describe(gate.content.neighbours, exact=is_searched_exactly(manifest.size))
    owners = describe_cluster_owners(session, [_contested_cluster(single) for single in evidence])
    return [
        _build_result(
            gate,
            manifest,
            single,
            [items[item_id] for item_id in item_ids],
            _describe_works(single, items),
            cluster_owners,
            index,
        )
        for single, item_ids, cluster_owners in zip(evidence, named, owners, strict=True)
    ]


def _named_items(evidence: CheckEvidence) -> list[str]:
    """Return the ids of the items to be described: the one that decides first, then others of its cluster."""
    if evidence.item is None:
        return []
    others = [item_id for item_id in evidence.cluster if item_id != evidence.item]
    return [evidence.item, *others[: MAX_MATCHES - 1]]


def _describe_works(evidence: CheckEvidence, items: Mapping[str, MatchedItem]) -> list[ShownWork]:
    return [ShownWork(**work.model_dump(), matched=items[work.item]) for work in evidence.works]


def _contested_cluster(evidence: CheckEvidence) -> Cluster:
    """Return the cluster whose owners are looked up.

    What is clear owes nobody, and is most of what is checked: its cluster is left out.
    """
    return Cluster(evidence.item or "", evidence.cluster if evidence.decision.outcome != "clear" else ())


def _build_result(
    gate: Gate,
    manifest: Manifest,
    evidence: CheckEvidence,
    matches: list[MatchedItem],
    works: list[ShownWork],
    cluster_owners: list[ClusterOwner],
    index: dict[str, Any],
) -> CheckResult:
    decision = evidence.decision
    deciding = next((finding for finding in evidence.rules if finding.rule == evidence.rule), None)
    kind = UNSPECIFIED if deciding is None or deciding.kind is None else deciding.kind
    return CheckResult(
        decision=decision.outcome,
        reason=decision.reason,
        matches=matches,
        cluster=list(evidence.cluster),
        cluster_owners=cluster_owners,
        kind=kind if matches else None,
        kind_figures=evidence.kind_figures,
        rules=list(evidence.rules),
        metrics=evidence.metrics,
        works=works,
        unexamined=evidence.unexamined,
        rule=evidence.rule,
        score=decision.score,
        p_value=decision.p_value,
        threshold=decision.threshold,
        borderline_threshold=decision.borderline_threshold,
        variant=evidence.variant,
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
