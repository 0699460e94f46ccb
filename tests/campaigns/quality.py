"""Quality of copy detection, judged on pictures that nothing was fitted on: `python -m tests.campaigns.quality [--quick]`.

The protocol is docs/methods/quality.md. Writes docs/results/quality.json and quality.md; `--quick` (a tenth of the pictures)
only prints.
"""

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.matching.calibration.null_distribution import NullDistribution
from shared.matching.calibration.rate_intervals import build_rate
from shared.matching.ssim_search.best_ssim import best_ssim
from tests.bench.run import describe_machine
from tests.campaigns.quality_pictures import DATA, Sample, build_samples, design_of, load_pictures, stack_views
from tests.campaigns.quality_replay import sample_replays
from tests.campaigns.quality_report import write_report
from tests.campaigns.quality_rules import Answer, Panel
from tests.campaigns.quality_transforms import TRANSFORMS, transform_views
from tests.support.paths import RESULTS

RATES = (0.01, 0.001)
POSITIVES = 1000
REPLAYS, REPLAY_SLICE = 300, 256
# "combined" stacks three transforms and is shown beside the mean, not in it; replays are no transform.
BESIDE = ("combined", "replay")
RESAMPLES = 300
SEED = 7

Floats = NDArray[np.float64]


def judge(sample: Sample, *, quick: bool) -> dict[str, Any]:
    """Judge every rule on a half.

    Args:
        sample: the half.
        quick: a tenth of the pictures.
    """
    step = 10 if quick else 1
    registered, control = stack_views(sample.registered)[::step], stack_views(sample.control)[::step]
    negative, variant = stack_views(sample.negative)[::step], stack_views(sample.variant)
    designs = np.array([design_of(picture) for picture in sample.registered[::step]])
    rng = np.random.default_rng(SEED)
    panel = Panel.build(registered, control)
    chosen = np.sort(rng.choice(len(registered), min(POSITIVES, len(registered)), replace=False))
    truths = dict.fromkeys(TRANSFORMS, chosen)
    answers = {name: _timed(name, panel, transform_views(name, registered[chosen])) for name in TRANSFORMS}
    in_slice = rng.choice(len(registered), min(REPLAY_SLICE, len(registered)), replace=False)
    replays, replayed = sample_replays(registered[in_slice], REPLAYS // step, rng)
    answers["replay"], truths["replay"] = _timed("replay", panel, replays), in_slice[replayed]
    others = {"control": control, "negative": negative, "variant": variant, "negative_transformed": _transformed(negative)}
    answers = {name: _timed(name, panel, views) for name, views in others.items()}
    positives = {rule: {name: answers[name][rule] for name in answers} for rule in answers["negative"]}
    named = {
        rule: {name: designs[answer[1]] == designs[truths[name]] for name, answer in by_name.items()}
        for rule, by_name in positives.items()
    }
    rules = {
        rule: _row(rule, positives[rule], named[rule], {name: answer[rule] for name, answer in answers.items()})
        for rule in positives
    }
    variant_designs = np.array([design_of(picture) for picture in sample.variant])
    rules["fused"]["variant_named"] = float(np.mean(designs[answers["variant"]["fused"][1]] == variant_designs))
    return {
        "pictures": {name: len(getattr(sample, name)) for name in ("registered", "control", "negative", "variant")},
        "judged": {"registered": len(registered), "positives_a_transform": len(chosen), "replays": len(replays)},
        "rules": rules,
        "top_negatives": _top_negatives(sample, answers["negative"]["fused"], step),
        "speed": _speed(panel, negative),
    }


def _timed(name: str, panel: Panel, views: NDArray[np.uint8]) -> dict[str, Answer]:
    start = perf_counter()
    answer = panel.answer(views)
    sys.stderr.write(f"{name}: {len(views)} pictures, {perf_counter() - start:.0f} s\n")
    return answer


def _transformed(views: NDArray[np.uint8]) -> NDArray[np.uint8]:
    names = list(TRANSFORMS)
    changed = views.copy()
    for at, name in enumerate(names):
        changed[at :: len(names)] = transform_views(name, views[at :: len(names)])
    return changed


def threshold_at(scores: Floats, rate: float) -> float:
    """Return the score that at most this share of negatives exceeds."""
    return float(np.sort(scores)[::-1][int(rate * len(scores))])


def _row(
    rule: str, positives: dict[str, Answer], named: dict[str, NDArray[np.bool_]], others: dict[str, Answer]
) -> dict[str, Any]:
    negative = others["negative"][0]
    row: dict[str, Any] = {"transforms": {}}
    for name, (scores, _) in positives.items():
        cell: dict[str, Any] = {"auc": _auc(scores, negative), "named": float(named[name].mean())}
        for rate in RATES:
            hits = build_rate(int((scores > threshold_at(negative, rate)).sum()), len(scores))
            cell[f"tpr_{rate}"] = [hits.value, hits.low, hits.high]
        row["transforms"][name] = cell
    means = [name for name in positives if name not in BESIDE]
    row["mean_auc"] = float(np.mean([row["transforms"][name]["auc"] for name in means]))
    row["mean_named"] = float(np.mean([row["transforms"][name]["named"] for name in means]))
    scores = np.stack([positives[name][0] for name in means])
    for rate in RATES:
        row[f"mean_tpr_{rate}"] = [float((scores > threshold_at(negative, rate)).mean()), *_bootstrap(scores, negative, rate)]
    row["control"] = _by_control(scores, others)
    row["variant_flagged"] = _share(others["variant"][0], threshold_at(negative, 0.01))
    row["transformed_negatives_flagged"] = _share(others["negative_transformed"][0], threshold_at(negative, 0.01))
    return row


def _by_control(scores: Floats, others: dict[str, Answer]) -> dict[str, Any]:
    """What a deployment sees: the threshold set on the control, judged on the negatives."""
    null = NullDistribution(tuple(others["control"][0].tolist()))
    rate = null.attained_rate(0.01)
    return {
        "attained_rate": rate,
        "false_positives": _share(others["negative"][0], null.threshold(0.01)),
        "mean_tpr": float((scores > null.threshold(0.01)).mean()),
    }


def _share(scores: Floats, threshold: float) -> list[float]:
    rate = build_rate(int((scores > threshold).sum()), len(scores))
    return [rate.value, rate.low, rate.high]


def _auc(positive: Floats, negative: Floats) -> float:
    """Probability that a positive scores above a negative, ties counting half (Mann and Whitney 1947)."""
    ordered = np.sort(negative)
    below, upto = np.searchsorted(ordered, positive, "left"), np.searchsorted(ordered, positive, "right")
    return float((below + upto).mean() / 2 / len(negative))


def _bootstrap(scores: Floats, negative: Floats, rate: float) -> list[float]:
    """95 % percentile interval of the mean TPR, resampling registered items and negatives (Efron and Tibshirani 1993)."""
    rng, means = np.random.default_rng(SEED), []
    for _ in range(RESAMPLES):
        threshold = threshold_at(rng.choice(negative, len(negative)), rate)
        means.append((scores[:, rng.integers(0, scores.shape[1], scores.shape[1])] > threshold).mean())
    return [float(bound) for bound in np.quantile(means, [0.025, 0.975])]


def _top_negatives(sample: Sample, answer: Answer, step: int) -> list[dict[str, Any]]:
    scores, items = answer
    return [
        {
            "score": round(float(scores[at]), 3),
            "negative": f"{sample.negative[at * step].data_set} {sample.negative[at * step].name}",
            "registered": f"{sample.registered[items[at] * step].data_set} {sample.registered[items[at] * step].name}",
        }
        for at in np.argsort(-scores)[:15].tolist()
    ]


def _speed(panel: Panel, views: NDArray[np.uint8]) -> dict[str, float]:
    """Milliseconds a check, each the median and the fastest of 30, beside best SSIM among the same items in the same run."""
    ways: dict[str, Callable[[NDArray[np.uint8]], object]] = {
        "find_candidates": panel.detector.find_candidates,
        "detect": panel.detector.detect,
        "best_ssim": lambda view: best_ssim(view, panel.terms),
    }
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(30):
        for name, way in ways.items():
            start = perf_counter()
            way(views[number % len(views)][None])
            taken[name].append((perf_counter() - start) * 1000)
    figures = {f"{name}_median_ms": round(float(np.median(times)), 2) for name, times in taken.items()}
    return figures | {f"{name}_fastest_ms": round(min(times), 2) for name, times in taken.items()}


def main() -> None:
    """Judge, print the means, write the results."""
    quick = "--quick" in sys.argv[1:]
    half = "tuning" if "--tuning" in sys.argv[1:] else "judged"
    judged = judge(build_samples(load_pictures(DATA))[half], quick=quick)
    judged = {"measured": datetime.now(UTC).date().isoformat(), "machine": describe_machine(), "half": half, **judged}
    for rule, row in judged["rules"].items():
        sys.stdout.write(
            f"{rule}: mean TPR at 1 % FPR {row['mean_tpr_0.01'][0]:.3f}, at 0.1 % {row['mean_tpr_0.001'][0]:.3f}\n"
        )
    if not quick and half == "judged":
        (RESULTS / "quality.json").write_text(json.dumps(judged, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        (RESULTS / "quality.md").write_text(write_report(judged), encoding="utf-8")


if __name__ == "__main__":
    main()
