"""Is the right item among the candidates? Measured on photographs: `python -m tests.campaigns.candidate_recall [--tuning]`.

Rules, in order:

1. Each registered photograph of the half goes through the 24 ways of `photograph_transforms`. What is pasted in or beside it
   is of the control, which is not in the corpus.
2. The corpus is the registered photographs, the half's negatives, eight crops of each of these, and the flat sets' registered
   views of the half. It is as large as the data allow; a deployment's is larger.
3. A source of candidates gives each item some vectors and each generation some. For each vector of a generation, an item
   counts its best cosine less that of the twentieth best item, so that vague regions stand behind; the best of these is the
   item's.
4. A combination takes the first ten of each of two sources.

Prints the shares among the first 20; judged, it writes docs/results/candidates.json. `--embedder <setting>` adds one.
"""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared.matching.copy_detection.descriptor import load_descriptor
from shared.matching.copy_detection.orientations import ORIENTATIONS, turn_views
from shared.matching.whole_picture.local_features import ComparisonSize, extract_features
from shared.matching.whole_picture.region_descriptor import load_region_descriptor
from shared.matching.whole_picture.regions import build_regions
from shared.vision.embedding import open_embedder
from shared.vision.views import view_to_image
from tests.bench.run import describe_machine
from tests.campaigns.photograph_pictures import deal_photographs, load_photographs
from tests.campaigns.photograph_transforms import WAYS, copy_photograph
from tests.campaigns.quality_pictures import DATA, build_samples, load_pictures
from tests.support.paths import RESULTS

SEED = 20261130
CROPS = 8
FIRST, OF_EACH, BACKGROUND = 20, 10, 20
NONE = 1 << 30
# Of the descriptor of small views, on the whole frame: the whole, four corners, the centre.
SMALL_REGIONS = build_regions((2, 0.66), (1, 0.66))

Floats = NDArray[np.float32]
Describe = Callable[[Image.Image], Floats]


@dataclass
class Source:
    """A source of candidates: what it makes of an item and of a generation, (q, d) each, and what generations took."""

    item: Describe
    generation: Describe
    seconds: float = 0.0
    vectors: int = 0


def build_sources(setting: str | None) -> dict[str, Source]:
    """Build the sources that are compared, and an embedder's of whole frames where a setting names one."""
    small, regions, size = load_descriptor(), load_region_descriptor(), ComparisonSize()

    def views(picture: Image.Image) -> NDArray[np.uint8]:
        sides = np.tile(picture.size, 2)
        boxes = [tuple(float(edge) for edge in region * sides) for region in SMALL_REGIONS]
        squashed = [picture.resize((64, 64), Image.Resampling.BOX, box=(box[0], box[1], box[2], box[3])) for box in boxes]
        return np.stack([np.asarray(view).transpose(2, 0, 1) for view in squashed])

    def look(picture: Image.Image, count: int) -> Floats:
        cut = views(picture)[:count]
        turned = [turn_views(cut[:1], orientation) for orientation in range(2, ORIENTATIONS)]
        return small.describe(np.concatenate([cut, turn_views(cut, 1), *turned]))

    def local(describe: str) -> Describe:
        return lambda picture: getattr(regions, describe)(extract_features(size.resize(picture))).vectors

    sources = {
        "small_whole": Source(lambda picture: small.describe(views(picture)), lambda picture: look(picture, 1)),
        "small_tiles": Source(
            lambda picture: small.describe(views(picture)), lambda picture: look(picture, len(SMALL_REGIONS))
        ),
        "regions": Source(local("describe_item"), local("describe_generation")),
    }
    if setting:
        embedder = open_embedder(setting)
        sources[embedder.name] = Source(lambda picture: embedder.embed([picture]), lambda picture: embedder.embed([picture]))
    return sources


def list_corpus(half: str) -> Iterator[Image.Image]:
    """Give the corpus of rule 2, the registered photographs first."""
    sample, rng = deal_photographs(load_photographs(DATA))[half], np.random.default_rng(SEED)
    yield from (photograph.load() for photograph in sample.registered)
    for photograph in sample.negative:
        picture = photograph.load()
        yield picture
        for side in np.sqrt(rng.uniform(0.15, 0.6, CROPS)):
            width, height = picture.width * side, picture.height * side
            left, top = rng.uniform(0, picture.width - width), rng.uniform(0, picture.height - height)
            yield picture.resize(picture.size, Image.Resampling.BICUBIC, box=(left, top, left + width, top + height))
    yield from (view_to_image(picture.view) for picture in build_samples(load_pictures(DATA))[half].registered)


def rank(queries: Floats, points: Floats, starts: NDArray[np.int64], owners: NDArray[np.int64], item: int) -> int:
    """Return how many items come before the right one (rule 3); `NONE` where it cannot be found."""
    at = int(np.searchsorted(owners, item))
    if len(queries) == 0 or at == len(owners) or owners[at] != item:
        return NONE
    cosines = np.maximum.reduceat(queries @ points.T, starts, axis=1)
    background = np.partition(cosines, len(starts) - BACKGROUND, axis=1)[:, len(starts) - BACKGROUND]
    scores = (cosines - background[:, None]).max(axis=0)
    return int((scores > scores[at]).sum())


def measure(half: str, setting: str | None) -> dict[str, Any]:
    """Measure every source and the combinations with `regions` on a half."""
    sources = build_sources(setting)
    parts: dict[str, list[Floats]] = {name: [] for name in sources}
    for picture in list_corpus(half):
        for name, source in sources.items():
            parts[name].append(source.item(picture))
    corpora = {}
    for name, vectors in parts.items():
        numbers = np.repeat(np.arange(len(vectors)), [len(part) for part in vectors])
        owners, starts = np.unique(numbers, return_index=True)
        corpora[name] = (np.concatenate(vectors), starts, owners)
    sample = deal_photographs(load_photographs(DATA))[half]
    others = [photograph.load() for photograph in sample.control]
    ranks: dict[str, dict[str, list[int]]] = {name: {way: [] for way in WAYS} for name in sources}
    for number, photograph in enumerate(sample.registered):
        original = photograph.load()
        for way in WAYS:
            copy = copy_photograph(way, number, original, others).image
            for name, source in sources.items():
                start = perf_counter()
                queries = source.generation(copy)
                source.seconds += perf_counter() - start
                source.vectors += len(queries)
                ranks[name][way].append(rank(queries, *corpora[name], number))
    copies = len(sample.registered) * len(WAYS)
    found = {name: {way: np.array(row) < FIRST for way, row in by_way.items()} for name, by_way in ranks.items()}
    for name in [name for name in sources if name != "regions"]:
        found[f"regions and {name}"] = {
            way: (np.array(ranks["regions"][way]) < OF_EACH) | (np.array(ranks[name][way]) < OF_EACH) for way in WAYS
        }
    return {
        "half": half,
        "machine": describe_machine(),
        "corpus": len(parts["regions"]),
        "registered": len(sample.registered),
        "found": {name: {way: float(hits.mean()) for way, hits in by_way.items()} for name, by_way in found.items()},
        "mean": {name: float(np.mean([hits.mean() for hits in by_way.values()])) for name, by_way in found.items()},
        "cost": {
            name: {
                "ms_a_generation": round(source.seconds / copies * 1000, 1),
                "vectors_a_generation": round(source.vectors / copies, 1),
                "points_an_item": round(len(corpora[name][0]) / len(parts[name]), 1),
                "bytes_an_item": round(corpora[name][0].nbytes / len(parts[name])),
            }
            for name, source in sources.items()
        },
    }


def main() -> None:
    """Measure, print, and write the judged half's figures."""
    cv2.setNumThreads(1)
    half = "tuning" if "--tuning" in sys.argv[1:] else "judged"
    setting = sys.argv[sys.argv.index("--embedder") + 1] if "--embedder" in sys.argv[1:] else None
    measured = measure(half, setting)
    sys.stdout.write(json.dumps(measured, indent=1) + "\n")
    if half == "judged":
        (RESULTS / "candidates.json").write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
