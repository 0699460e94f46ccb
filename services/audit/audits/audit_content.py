"""The content of `audit.json`: every figure of one audit, with what it was measured on.

It holds no time and no path, so that the same model, control, samples and code give the same bytes.
"""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from services.audit.audits.attacks import Attack
from services.audit.comparison.compare import Comparison
from services.audit.comparison.context import AuditContext
from services.audit.comparison.matching import Corpus
from services.audit.controls.calibration import CalibratedModel
from services.audit.controls.outcome import ControlOutcome, failed_checks
from shared.code_version import package_versions
from shared.matching.calibration.null_distribution import cross_fit
from shared.matching.calibration.rate_intervals import Rate, rate_json
from shared.matching.panel.panel import RuleResult
from shared.records.models import Model


def build_audit_content(
    context: AuditContext,
    calibrated: CalibratedModel,
    attack: Attack,
    comparison: Comparison,
    controls: Sequence[ControlOutcome],
) -> dict[str, Any]:
    """Build the content of `audit.json`.

    Its `state` is `failed` where a control failed by a rule that the audit relies on: the audit is void.
    """
    rate, relied_on = context.rate, context.relied_on
    unsound = {check.rule for _, check in failed_checks(controls)}
    model, training, control = calibrated.model, calibrated.training.manifest, calibrated.control.manifest
    return {
        "v": 1,
        "kind": "audit",
        "state": "failed" if failed_checks(controls, relied_on) else "completed",
        "relied_on": None if relied_on is None else sorted(relied_on),
        "controls": [outcome.content() for outcome in controls],
        "model": {
            "id": model.id,
            "name": model.name,
            "origin": model.origin,
            "weights_sha256": model.weights_sha256,
            "config_sha256": model.config_sha256,
            "updates": model.updates,
            "updates_per_image": updates_per_image(model, training.size),
            "config": model.config,
            "resolution_px": model.resolution_px,
            "channels": model.channels,
        },
        "manifest": {"id": training.id, "name": training.name, "size": training.size, "root": training.root},
        "control": {"id": control.id, "name": control.name, "size": control.size, "root": control.root},
        "attack": attack.text,
        "attack_kind": attack.kind,
        "unit": attack.unit,
        "extraction": attack.details or None,
        "sampling": attack.samples.settings,
        "samples_sha256": attack.samples.sha256,
        "pipeline": dict(calibrated.scores.pipeline),
        "calibration_sha256": calibrated.scores.sha256,
        "requested_rate": rate,
        "attained_rate": comparison.attained_rate,
        "threshold": comparison.threshold,
        "copies": rate_json(comparison.copies),
        "distinct_items_copied": list(comparison.copied_items),
        "control_rate": rate_json(comparison.control_check.rate) | {"stated": comparison.control_check.stated_rate},
        "control_scores": list(comparison.null.scores),
        "rules": [rule | {"sound": rule["name"] not in unsound} for rule in build_rules(calibrated, comparison, rate)],
        "agreement": [asdict(pair) | {"share": pair.share} for pair in comparison.agreement],
        "duplicates": build_duplicates(calibrated.corpus),
        "generations": _generations(calibrated, attack, comparison),
        "packages": package_versions(),
    }


def updates_per_image(model: Model, manifest_size: int) -> float | None:
    """Return how often training showed the model each image, on average; unknown for a model trained elsewhere."""
    if model.updates is None:
        return None
    return float(model.updates * model.config["train_batch_size"] / manifest_size)


def _generations(calibrated: CalibratedModel, attack: Attack, comparison: Comparison) -> list[dict[str, Any]]:
    matches = comparison.matches
    return [
        {
            "index": int(position),
            "seed": int(attack.samples.seeds[position]),
            "item": calibrated.corpus.item_ids[int(matches.index[at])],
            "copy": bool(comparison.fired[at]),
            "p_value": float(comparison.p_values[at]),
            "metrics": matches.metrics.row(at),
            "rules": {outcome.rule.name: _finding(calibrated.corpus, outcome, at) for outcome in comparison.panel},
        }
        for at, position in enumerate(attack.positions)
    ]


def _finding(corpus: Corpus, outcome: RuleResult, at: int) -> dict[str, Any]:
    row = outcome.row(at)
    item = None if row["item"] is None else corpus.item_ids[row["item"]]
    return {"verdict": row["verdict"], "score": row["score"], "item": item}


def build_rules(calibrated: CalibratedModel, comparison: Comparison, rate: float) -> list[dict[str, Any]]:
    """Spell the share of generations and of the control on which each rule fires, of those for which it is defined.

    A control that set a rule's threshold cannot be judged by it. Each half is judged by the threshold of the other half.
    """
    corpus, scores = calibrated.corpus, calibrated.scores
    return [
        {
            "name": outcome.rule.name,
            "title": outcome.rule.title,
            "source": outcome.rule.source,
            "threshold": outcome.rule.threshold,
            "fires": outcome.rule.fires,
            "generations": _rate_or_none(outcome.rate),
            "control": _rate_or_none(
                cross_fit(scores.null(outcome.rule.name), rate).rate if outcome.rule.name in scores.by_rule else control.rate
            ),
            "threshold_from_control": outcome.rule.name in scores.by_rule,
            "undefined": int((~outcome.defined).sum()),
            "undefined_reasons": sorted(set(outcome.scores.undefined) - {""}),
            "distinct_items": len(corpus.ids_of(outcome.scores.items[outcome.fired])),
        }
        for outcome, control in zip(comparison.panel, comparison.control_panel, strict=True)
    ]


def build_duplicates(corpus: Corpus) -> dict[str, Any]:
    """Spell the clusters of duplicates in the training set: how many, of which sizes, and the members of the larger ones."""
    clusters = replace(corpus.side.clusters, labels=corpus.side.clusters.labels[: corpus.item_count])
    rows = [np.flatnonzero(clusters.labels == label) for label in np.flatnonzero(np.bincount(clusters.labels) > 1)]
    return {
        "clusters": clusters.count,
        "sizes": {str(size): count for size, count in clusters.sizes().items()},
        "members": [[corpus.item_ids[at] for at in members] for members in rows],
    }


def _rate_or_none(rate: Rate | None) -> dict[str, Any] | None:
    return None if rate is None else rate_json(rate)
