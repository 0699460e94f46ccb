"""Fit the shipped descriptor of regions on the tuning half: `python -m tests.campaigns.region_descriptor_fit`.

Rules, in order:

1. Pictures are the tuning halves' control and negatives, photographs and flat art, and the photographs that scikit-image
   brings. Nothing of the judged halves is read, nor of the tuning halves' registered pictures, on which the descriptor was
   chosen.
2. Axes and centroids are fitted on features of pictures and practice copies (principal components; k-means).
3. The linear map is fitted on pairs: a region of a practice copy, and what the map of the copy says is that region of the
   picture, moved a little. Scatter within pairs against scatter between them, as `copy_detection.fitting` has it.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import skimage.data
from numpy.typing import NDArray
from PIL import Image
from scipy.linalg import eigh

from shared.matching.whole_picture.local_features import ComparisonSize, LocalFeatures, extract_features
from shared.matching.whole_picture.region_descriptor import LEAST_FEATURES, SHIPPED, RegionDescriptor
from shared.vision.views import view_to_image
from tests.campaigns.photograph_pictures import deal_photographs, load_photographs
from tests.campaigns.practice_copies import build_practice_copy
from tests.campaigns.quality_pictures import DATA, build_samples, load_pictures

SEED = 20261130
AXES, CENTROIDS, DIMENSIONS = 48, 32, 256
# Copies of a photograph; pictures of flat art and copies of each; regions a copy.
COPIES, FLAT_PICTURES, FLAT_COPIES, REGIONS = 14, 500, 2, 5
# Share of the mean variance added to every direction within pairs (ridge). Of 0.05, 0.2 and 0.5: docs/adr/0029.
RIDGE = 0.2
# Features that the centroids are fitted on.
MOST_FEATURES = 60_000
# Photographs and what is like them; the rest of scikit-image's pictures are drawings, or stacks of slices.
BUNDLED = ("astronaut.png", "brick.png", "camera.png", "cell.png", "chelsea.png", "coffee.png", "coins.png", "grass.png",
           "gravel.png", "hubble_deep_field.jpg", "ihc.png", "moon.png", "motorcycle_left.png", "page.png", "retina.jpg",
           "rocket.jpg", "text.png")  # fmt: skip

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


class Practice:
    """A picture's features, and those of its copies with the map to each, in px of both comparison pictures."""

    def __init__(self, picture: Image.Image, others: Sequence[Image.Image], copies: int, rng: np.random.Generator) -> None:
        """Make the copies; `others` are pictures that a shrunk copy may lie on."""
        size = ComparisonSize()
        picture = size.resize(picture)
        self.features = extract_features(picture)
        self.copies: list[tuple[LocalFeatures, Floats]] = []
        for _ in range(copies):
            copy, placement = build_practice_copy(picture, others[int(rng.integers(len(others)))], rng)
            resized = size.resize(copy)
            scale = np.diag([resized.width / copy.width, resized.height / copy.height])
            self.copies.append((extract_features(resized), scale @ placement))

    def cut_regions(self, rng: np.random.Generator) -> Iterator[tuple[LocalFeatures, Flags, Flags]]:
        """Cut regions of each copy: its features, which of them lie in each, and which of the picture's do."""
        for features, placement in self.copies:
            ours = features.points + 0.5
            theirs = (self.features.points + 0.5) @ placement[:, :2].T + placement[:, 2]
            corners = np.array([(0, 0), (1, 0), (1, 1), (0, 1)]) * (self.features.width, self.features.height)
            outline = corners @ placement[:, :2].T + placement[:, 2]
            frame = np.array([features.width, features.height])
            low, high = np.maximum(outline.min(axis=0), 0), np.minimum(outline.max(axis=0), frame)
            pairs = []
            for _ in range(REGIONS):
                # A region of what is shown; a third of them is all of it, and a little of what lies around it.
                share = 1.1 if rng.random() < 1 / 3 else rng.uniform(0.45, 1)
                side = (high - low) * share * np.exp(rng.uniform(-0.15, 0.15, 2))
                start = low + (high - low - side) * rng.uniform(0, 1, 2)
                moved = rng.normal(0, 0.06, (2, 2)) * side
                inside = np.all((ours >= start) & (ours <= start + side), axis=1)
                partner = np.all((theirs >= start + moved[0]) & (theirs <= start + side + moved[1]), axis=1)
                if min(inside.sum(), partner.sum()) >= LEAST_FEATURES:
                    pairs.append((inside, partner))
            if pairs:
                yield features, np.array([one for one, _ in pairs]), np.array([one for _, one in pairs])


def load_fitting_photographs() -> list[Image.Image]:
    """Load the photographs of rule 1."""
    tuning = deal_photographs(load_photographs(DATA))["tuning"]
    bundled = [Image.open(Path(skimage.data.__file__).parent / name).convert("RGB") for name in BUNDLED]
    return [photograph.load() for photograph in tuning.control + tuning.negative] + bundled


def load_flat_pictures(rng: np.random.Generator) -> list[Image.Image]:
    """Draw the flat art of rule 1, as views of 64 px."""
    tuning = build_samples(load_pictures(DATA))["tuning"]
    pictures = tuning.control + tuning.negative
    return [view_to_image(pictures[at].view) for at in rng.permutation(len(pictures))[:FLAT_PICTURES]]


def fit_codebook(features: Sequence[LocalFeatures], rng: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    """Fit mean (128,), axes (128, a) and centroids (c, a)."""
    rows = np.concatenate([one.unit_rows for one in features]).astype(np.float64)
    rows = rows[rng.permutation(len(rows))[:MOST_FEATURES]]
    mean = rows.mean(axis=0)
    axes = np.linalg.eigh(np.cov((rows - mean).T))[1][:, ::-1][:, :AXES]
    cv2.setRNGSeed(SEED)
    stop = (cv2.TERM_CRITERIA_MAX_ITER + cv2.TERM_CRITERIA_EPS, 40, 1e-4)
    placed = ((rows - mean) @ axes).astype(np.float32)
    _, _, centroids = cv2.kmeans(placed, CENTROIDS, np.empty(0, np.int32), stop, 2, cv2.KMEANS_PP_CENTERS)
    return mean, axes, centroids.astype(np.float64)


def fit_projection(copies: Floats, pictures: Floats) -> tuple[Floats, Floats]:
    """Fit centre (s,) and projection (s, d) on paired sums, (p, s) each."""
    apart = (copies - pictures) / np.sqrt(2)
    within = apart.T @ apart / len(apart)
    within += RIDGE * np.trace(within) / len(within) * np.eye(len(within))
    classes = (copies + pictures) / 2
    centre = classes.mean(axis=0)
    spread = classes - centre
    last = len(within) - 1
    ratio, directions = eigh(spread.T @ spread / len(spread), within, subset_by_index=[last - DIMENSIONS + 1, last])
    ratio, directions = ratio[::-1], directions[:, ::-1]
    projection = directions * np.sqrt(ratio / (ratio + 1))
    # Half precision has its digits near one; a common factor changes no direction.
    return centre, projection / np.abs(projection).max()


def fit_descriptor(practices: Sequence[Practice], rng: np.random.Generator) -> tuple[RegionDescriptor, int]:
    """Fit the descriptor; return it and the number of pairs."""
    every = [one for practice in practices for one in (practice.features, *(copy for copy, _ in practice.copies[:3]))]
    mean, axes, centroids = (tensor.astype(np.float16) for tensor in fit_codebook(every, rng))
    size = centroids.size
    blank = RegionDescriptor(mean, axes, centroids, np.zeros(size, np.float16), np.zeros((size, DIMENSIONS), np.float16))
    sums = [
        (blank.sum_regions(features, inside), blank.sum_regions(practice.features, partner))
        for practice in practices
        for features, inside, partner in practice.cut_regions(rng)
    ]
    copies, pictures = (np.concatenate(side).astype(np.float64) for side in zip(*sums, strict=True))
    centre, projection = fit_projection(copies, pictures)
    return RegionDescriptor(mean, axes, centroids, centre.astype(np.float16), projection.astype(np.float16)), len(copies)


def main() -> None:
    """Fit, and write the tensors and where they come from."""
    cv2.setNumThreads(1)
    rng = np.random.default_rng(SEED)
    photographs, flat = load_fitting_photographs(), load_flat_pictures(rng)
    pictures = [(picture, photographs, COPIES) for picture in photographs] + [(picture, flat, FLAT_COPIES) for picture in flat]
    practices = [
        Practice(picture, [other for other in others if other is not picture], copies, np.random.default_rng([SEED, number]))
        for number, (picture, others, copies) in enumerate(pictures)
    ]
    descriptor, pairs = fit_descriptor(practices, rng)
    SHIPPED.parent.mkdir(exist_ok=True)
    descriptor.save(SHIPPED)
    provenance = {
        "made_by": "python -m tests.campaigns.region_descriptor_fit",
        "seed": SEED,
        "sha256": descriptor.sha256,
        "photographs": "control and negatives of the tuning half (tests/campaigns/photograph_pictures.py)",
        "bundled_with_scikit_image": list(BUNDLED),
        "flat_art": "control and negatives of the tuning half (docs/methods/quality.md), drawn at random",
        "pictures": {"photographs": len(photographs), "flat_art": len(flat)},
        "practice_copies": sum(len(practice.copies) for practice in practices),
        "pairs_of_regions": pairs,
    }
    SHIPPED.with_suffix(".json").write_text(json.dumps(provenance, indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(json.dumps(provenance) + "\n")


if __name__ == "__main__":
    main()
