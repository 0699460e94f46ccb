"""The rule of works judged on pictures that nothing was fitted on: `python -m tests.campaigns.works [--quick] [--tuning]`.

Rules, in order:

1. Pictures are those of `works_samples`, all of one half in one corpus. `--quick` takes a sixth of the copies and only prints.
2. Scores: `works`; `views`, the detector of views alone (the rule `fused`) on the centre square; `features`, local features
   that agree alone; `regions`, the descriptor of regions alone; `ssim` and `pdq` on views of 64 px.
3. A share flagged at 1 % is that of copies that score above all but 1 % of the others of their kind, smooth and mixed pictures
   among the photographs; at 0.1 % none of the photographs may score as high, which are fewer than a thousand, and one of the
   1,100 flat ones.
4. A copy is named right where the best-scored item is the one it is of, or the same design in other colours.
5. Where a part of the picture shows the original, the region found is held against the polygon (intersection over union).

Writes docs/results/works.json and works.md.
"""

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

import numpy as np
from PIL import Image

from shared.matching.calibration.null_distribution import NullDistribution
from shared.matching.calibration.rate_intervals import build_rate
from shared.matching.ssim_search.best_ssim import best_ssim
from shared.matching.ssim_search.ssim_terms import SsimTerms, build_terms
from shared.matching.training_set.view_hashes import ViewHashes, hash_views
from shared.matching.whole_picture.detector import PictureDetections, PictureDetector
from shared.matching.whole_picture.local_features import extract_features
from shared.matching.whole_picture.overlay import intersection_over_union
from shared.vision.perceptual_hash import measure_distances
from shared.vision.views import Pixels, build_view
from tests.bench.run import describe_machine
from tests.campaigns.photograph_transforms import PARTLY, PhotographCopy
from tests.campaigns.quality_pictures import RECIPE, Half
from tests.campaigns.works_samples import TRANSFORMS, WAYS, WorksSample, detect, load_half
from tests.support.paths import RESULTS

RULES = ("works", "views", "features", "regions", "ssim", "pdq")
FLAT_COPIES, FLAT_OTHERS, QUICK = 150, 1100, 6
RATES = (0.01, 0.001)

# For each rule the score and the row that it names.
Answer = dict[str, tuple[float, int]]


class Judge:
    """Every rule over the corpus of a half."""

    def __init__(self, sample: WorksSample) -> None:
        self.detector: PictureDetector = sample.build_detector()
        self.views: Pixels = np.asarray(self.detector.views.views)
        self.terms: SsimTerms = build_terms(self.views)
        self.hashes: ViewHashes = hash_views(self.views)
        self.seconds = 0.0
        self.pictures = 0

    def answer(self, pictures: Sequence[Image.Image]) -> tuple[list[Answer], list[PictureDetections]]:
        """Ask every rule about pictures."""
        start = perf_counter()
        found = detect(self.detector, pictures)
        self.seconds += perf_counter() - start
        self.pictures += len(pictures)
        views = np.stack([build_view(picture, RECIPE) for picture in pictures])
        items, ssim = best_ssim(views, self.terms)
        distances = measure_distances(hash_views(views).packed, self.hashes.packed)
        answers = []
        for at, (picture, shown) in enumerate(zip(pictures, found, strict=True)):
            resized = self.detector.size.resize(picture)
            regions = self.detector.regions.score(extract_features(resized))
            by_view = max(shown.matches, key=lambda match: match.evidence.view_score, default=None)
            by_features = max(shown.matches, key=lambda match: match.evidence.features, default=None)
            best = max(regions, key=lambda item: regions[item], default=-1)
            nearest = int(distances[at].argmin())
            answers.append(
                {
                    "works": (shown.matches[0].score, shown.matches[0].item) if shown.matches else (-99.0, -1),
                    "views": (by_view.evidence.view_score, by_view.item) if by_view else (0.0, -1),
                    "features": (by_features.evidence.features, by_features.item) if by_features else (0.0, -1),
                    "regions": (regions.get(best, -1.0), best),
                    "ssim": (float(ssim[at]), int(items[at])),
                    "pdq": (-float(distances[at][nearest]), nearest),
                }
            )
        return answers, found


def judge(half: Half, *, quick: bool) -> dict[str, Any]:
    """Judge every rule on a half."""
    sample, step = load_half(half), QUICK if quick else 1
    ask = Judge(sample)
    others = {kind: pictures[::step] for kind, pictures in sample.list_others(FLAT_OTHERS).items()}
    negatives = {kind: ask.answer(pictures)[0] for kind, pictures in others.items()}
    sys.stderr.write(f"others: {ask.seconds / ask.pictures * 1000:.0f} ms a picture\n")
    rows: dict[str, dict[str, Any]] = {"photographs": {}, "flat": {}}
    for way in WAYS:
        copies = sample.copy_photographs(way)[::step]
        answers, found = ask.answer([copy.image for copy in copies])
        truths = [*range(len(sample.photographs.registered))][::step]
        rows["photographs"][way] = _row(
            answers, truths, sample.designs, negatives["photographs"] + negatives["smooth and mixed"]
        )
        rows["photographs"][way]["overlap"] = _overlap(copies, found, truths) if way in PARTLY else None
        sys.stderr.write(f"{way}: {rows['photographs'][way]['works']}\n")
    for transform in TRANSFORMS:
        pictures, truths = sample.copy_flat(transform, FLAT_COPIES // step)
        rows["flat"][transform] = _row(ask.answer(pictures)[0], truths, sample.designs, negatives["flat"])
        sys.stderr.write(f"{transform}: {rows['flat'][transform]['works']}\n")
    return {
        "measured": datetime.now(UTC).date().isoformat(),
        "machine": describe_machine(),
        "half": half,
        "corpus": {"photographs": len(sample.photographs.registered), "flat": len(sample.flat.registered)},
        "others": {kind: len(answers) for kind, answers in negatives.items()},
        "copies_a_way": {"photographs": len(sample.photographs.registered) // step, "flat": FLAT_COPIES // step},
        "ways": rows,
        "mean": {kind: _mean(by_way) for kind, by_way in rows.items()},
        "control": _by_control(sample, ask, negatives, step),
        "ms_a_picture": round(ask.seconds / ask.pictures * 1000, 1),
    }


def _row(answers: Sequence[Answer], truths: Sequence[int], designs: Sequence[str], others: Sequence[Answer]) -> dict[str, Any]:
    """Give for each rule the share flagged at each rate, and the share named right."""
    row: dict[str, Any] = {}
    for rule in RULES:
        scores = np.array([answer[rule][0] for answer in answers])
        strangers = np.sort([answer[rule][0] for answer in others])[::-1]
        named = [
            answer[rule][1] >= 0 and designs[answer[rule][1]] == designs[row]
            for answer, row in zip(answers, truths, strict=True)
        ]
        flagged = [float((scores > strangers[int(rate * len(strangers))]).mean()) for rate in RATES]
        row[rule] = [*(round(share, 4) for share in flagged), round(float(np.mean(named)), 4)]
    return row


def _overlap(copies: Sequence[PhotographCopy], found: Sequence[PictureDetections], truths: Sequence[int]) -> float | None:
    """Return the mean intersection over union of the regions of copies whose item is the best match."""
    overlaps = []
    for copy, shown, row in zip(copies, found, truths, strict=True):
        if shown.matches and shown.matches[0].item == row:
            overlay = shown.matches[0].overlay
            region = (overlay.region + 0.5) * copy.image.size / overlay.size
            overlaps.append(intersection_over_union(region, copy.polygon))
    return round(float(np.mean(overlaps)), 3) if overlaps else None


def _mean(by_way: dict[str, Any]) -> dict[str, Any]:
    """Return the means over ways; `combined` stacks three transforms and is shown beside them."""
    ways = [row for way, row in by_way.items() if way != "combined"]
    means: dict[str, Any] = {rule: np.mean([row[rule] for row in ways], axis=0).round(4).tolist() for rule in RULES}
    overlaps = [row["overlap"] for row in ways if row.get("overlap") is not None]
    return means | ({"overlap": round(float(np.mean(overlaps)), 3)} if overlaps else {})


def _by_control(sample: WorksSample, ask: Judge, negatives: dict[str, list[Answer]], step: int) -> dict[str, Any]:
    """Say how often others fire at thresholds of a control: half of the others of both kinds, judged on the other half."""
    shares: dict[str, Any] = {}
    pool = {kind: np.array([answer["works"][0] for answer in answers]) for kind, answers in negatives.items()}
    control = np.concatenate([scores[::2] for kind, scores in pool.items() if kind != "smooth and mixed"])
    null = NullDistribution(tuple(control.tolist()))
    for kind, scores in pool.items():
        judged = scores if kind == "smooth and mixed" else scores[1::2]
        rate = build_rate(int((judged > null.threshold(0.01)).sum()), len(judged))
        shares[kind] = [round(rate.value, 4), round(rate.low, 4), round(rate.high, 4)]
    return {"size": len(control), "attained_rate": round(null.attained_rate(0.01), 4), "fired": shares}


def write_report(judged: dict[str, Any]) -> str:
    """Write the figures as a page."""
    photographs, flat = judged["corpus"]["photographs"], judged["corpus"]["flat"]
    lines = [
        "# Works in whole pictures, as judged",
        "",
        f"Half: {judged['half']}. Corpus: {photographs} photographs and {flat} flat pictures.",
        "Shares flagged at 1 % and at 0.1 % of unrelated pictures, and named right.",
        f"Others: {', '.join(f'{count} {kind}' for kind, count in judged['others'].items())}.",
        "",
    ]
    for kind, by_way in judged["ways"].items():
        lines += [
            f"## {kind.capitalize()}",
            "",
            "| what was done | " + " | ".join(RULES) + " | region |",
            "|---" * (len(RULES) + 2) + "|",
        ]
        for way, row in [*by_way.items(), ("**mean**", judged["mean"][kind])]:
            cells = [" / ".join(f"{share:.2f}" for share in row[rule]) for rule in RULES]
            overlap = row.get("overlap")
            lines.append(f"| {way} | " + " | ".join(cells) + f" | {'' if overlap is None else f'{overlap:.2f}'} |")
        lines.append("")
    control, attained = judged["control"], judged["control"]["attained_rate"]
    fired = ", ".join(f"{kind} {rate:.3f} ({low:.3f}–{high:.3f})" for kind, (rate, low, high) in control["fired"].items())
    lines += [
        f"At the threshold of 1 % of a control of {control['size']} of these others (attained {attained:.3f}), of the",
        f"rest fire: {fired}.",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    """Judge, print the means, write the results."""
    quick, half = "--quick" in sys.argv[1:], "tuning" if "--tuning" in sys.argv[1:] else "judged"
    judged = judge("tuning" if half == "tuning" else "judged", quick=quick)
    sys.stdout.write(
        json.dumps({"mean": judged["mean"], "control": judged["control"], "ms": judged["ms_a_picture"]}, indent=1) + "\n"
    )
    if not quick and half == "judged":
        (RESULTS / "works.json").write_text(json.dumps(judged, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        (RESULTS / "works.md").write_text(write_report(judged), encoding="utf-8")


if __name__ == "__main__":
    main()
