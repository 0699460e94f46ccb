"""The content of `study.json`: a point for each model, a line for each slice size, and what the whole rests on.

Rules, in order:

1. It holds no time and no path, so that the same workspace, configuration and code give the same bytes.
2. A model whose audit is void, because a control failed, is a point that says so and is in no mean. A size without a sound
   model has no line.
3. Models of one slice share its control, whatever their seeds. The control's pictures are counted once a slice.
"""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from services.audit.audits.recorded_audits import load_audit, load_audit_content
from services.audit.studies.size_comparison import SizeComparison
from services.audit.studies.study_config import StudyModel
from services.audit.studies.study_context import StudyContext
from services.audit.studies.study_slices import StudySlices
from shared.code_version import package_versions
from shared.matching.calibration.rate_intervals import build_rate, rate_json
from shared.records.manifests import load_manifest
from shared.workspace import Workspace


def build_study_content(context: StudyContext, slices: StudySlices, comparisons: Sequence[SizeComparison]) -> dict[str, Any]:
    """Build the content of `study.json`.

    Args:
        context: of the study.
        slices: of the study.
        comparisons: one for each slice size.

    Raises:
        CorruptStateError: an audit is gone, or is not the one that was logged.
    """
    config, embedder = context.config, context.embedder
    by_size = {comparison.size: comparison for comparison in comparisons}
    points = [_build_point(context.workspace, model, by_size[model.size]) for model in config.models()]
    sound = [point for point in points if point["state"] == "completed"]
    with context.workspace.reading() as session:
        control = load_manifest(session, context.control)
    return {
        "v": 1,
        "kind": "study",
        "name": config.name,
        "config": config.model_dump(mode="json", exclude={"at_once"}),
        "config_sha256": config.sha256,
        "dataset": {
            "name": config.dataset,
            "items": slices.items,
            "clusters": slices.clusters,
            "cluster_sizes": {str(size): count for size, count in sorted(slices.cluster_sizes.items())},
            "distinct": slices.distinct,
            "left_out_alike": len(slices.alike),
        },
        "embedder": {"name": embedder.name, "sha256": embedder.sha256},
        "control": {"name": control.name, "size": control.size, "root": control.root},
        "points": points,
        "void": [point["model"] for point in points if point["state"] != "completed"],
        "sizes": [
            build_size(list(of_size), by_size[size]) for size, of_size in groupby(sound, lambda point: int(point["size"]))
        ],
        "packages": package_versions(),
    }


def _build_point(workspace: Workspace, model: StudyModel, comparison: SizeComparison) -> dict[str, Any]:
    audit = load_audit(workspace, comparison.audits[model.name])
    content = load_audit_content(workspace, audit)
    copies, statistics = content["copies"], content["statistics"]
    return {
        "model": model.name,
        "size": model.size,
        "twin": model.twin,
        "seed": model.seed,
        "state": content["state"],
        "controls": {control["name"]: control["passed"] for control in content["controls"]},
        "updates": content["model"]["updates"],
        "updates_per_image": content["model"]["updates_per_image"],
        "generations": copies["trials"],
        "copies": copies["hits"],
        "rate": copies["value"],
        "interval": [copies["low"], copies["high"]],
        "control_rate": content["control_rate"]["value"],
        "control_stated_rate": content["control_rate"]["stated"],
        "control_hits": content["control_rate"]["hits"],
        "control_size": content["control_rate"]["trials"],
        "threshold": content["threshold"],
        "attained_rate": content["attained_rate"],
        "distinct_items": len(content["distinct_items_copied"]),
        "quality": statistics["quality"].get("distance"),
        "quality_floor": statistics["quality"].get("floor"),
        "shortlist_recall": statistics["shortlist_recall"]["value"],
        "data_copying": statistics["data_copying"].get("statistic"),
        "sweep": [[row["level"], row["generations"]["value"], row["control"]["value"]] for row in statistics["sweep"]],
        "rules": {rule["name"]: _build_rule(rule) for rule in content["rules"]},
        "kept": comparison.kept[model.name],
        "weights_sha256": content["model"]["weights_sha256"],
        "manifest_root": content["manifest"]["root"],
        "audit": audit.id,
        "audit_sha256": audit.report_sha256,
    }


def _build_rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    """Spell which shares of generations and control a rule calls copies, null where undefined, and whether it is sound."""
    shares = {side: rule[side]["value"] if rule[side] else None for side in ("generations", "control")}
    return shares | {"sound": rule["sound"]}


def build_size(points: Sequence[Mapping[str, Any]], comparison: SizeComparison) -> dict[str, Any]:
    """Sum up the models of one slice size.

    Args:
        points: of its sound models, at least one.
        comparison: of all its models.
    """
    rates = [point["rate"] for point in points]
    slices = {point["manifest_root"]: point for point in points}.values()
    return {
        "size": points[0]["size"],
        "models": len(points),
        "updates_per_image": points[0]["updates_per_image"],
        "mean_rate": float(np.mean(rates)),
        "lowest_rate": min(rates),
        "highest_rate": max(rates),
        "copies": _sum_rates([(point["copies"], point["generations"]) for point in points]),
        "control": _sum_rates([(point["control_hits"], point["control_size"]) for point in slices]),
        "left_out": _sum_rates([(rate["hits"], rate["trials"]) for rate in comparison.left_out.values()])
        if comparison.left_out
        else None,
        "distinct_share": float(np.mean([point["distinct_items"] / point["size"] for point in points])),
        "quality": _mean([point["quality"] for point in points]),
        "quality_floor": _mean([point["quality_floor"] for point in points]),
        "data_copying": _mean([point["data_copying"] for point in points]),
        "thresholds": [min(point["threshold"] for point in points), max(point["threshold"] for point in points)],
        "worst": worst_of(points),
        "sweep": [[row[0][0], *np.mean(row, axis=0)[1:].tolist()] for row in zip(*(p["sweep"] for p in points), strict=True)],
        "rules": {
            name: {side: _mean([point["rules"][name][side] for point in points]) for side in ("generations", "control")}
            | {"sound": all(point["rules"][name]["sound"] for point in points)}
            for name in points[0]["rules"]
        },
        "twins": comparison.twins,
    }


def _sum_rates(counts: Sequence[tuple[float, float]]) -> dict[str, float]:
    """Sum hits and trials. The interval is that of these models and slices, not of others that could have been drawn."""
    return rate_json(build_rate(int(sum(hits for hits, _ in counts)), int(sum(trials for _, trials in counts))))


def worst_of(points: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return after how many updates models copied most, with the mean rate of copies then.

    >>> point = {"updates": 10, "rate": 0.5, "kept": [{"updates": 5, "rate": 0.75}]}
    >>> worst_of([point])
    {'updates': 5, 'rate': 0.75}
    """
    by_updates: dict[int, list[float]] = {}
    for point in points:
        for stage in [*point["kept"], point]:
            by_updates.setdefault(stage["updates"], []).append(stage["rate"])
    means = {updates: float(np.mean(rates)) for updates, rates in by_updates.items()}
    worst = max(means, key=lambda updates: (means[updates], updates))
    return {"updates": worst, "rate": means[worst]}


def _mean(values: Sequence[float | None]) -> float | None:
    defined = [value for value in values if value is not None]
    return float(np.mean(defined)) if defined else None
