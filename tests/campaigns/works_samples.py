"""What the rule of works is fitted and judged on: photographs and flat art of one half in one corpus, copies, and others.

Rules, in order:

1. The corpus holds the half's registered photographs and its registered flat pictures, each at its own size.
2. Copies of photographs go through the 24 ways of `photograph_transforms`, copies of flat pictures through the thirteen of
   `quality_transforms`, as 64 px views. What is pasted beside a photograph is of the half's negatives.
3. Others are the half's negatives and controls, and photographs blurred or averaged by fours (`build_smooth_and_mixed`).
4. Every picture goes the gate's way, by `PictureDetector`; no candidate is given to it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from PIL import Image

from shared.matching.copy_detection.detector import CopyDetector
from shared.matching.whole_picture.detector import PictureDetections, PictureDetector
from shared.matching.whole_picture.evidence import PictureFusion
from shared.matching.whole_picture.memory_pictures import MemoryPictures
from shared.vision.image_decoding import decode_image
from shared.vision.views import build_view, view_to_image
from tests.campaigns.photograph_pictures import (
    PhotographSample,
    build_smooth_and_mixed,
    deal_photographs,
    load_photographs,
)
from tests.campaigns.photograph_transforms import WAYS, PhotographCopy, copy_photograph
from tests.campaigns.quality_pictures import (
    DATA,
    LIMITS,
    RECIPE,
    Half,
    Picture,
    Sample,
    build_samples,
    design_of,
    load_pictures,
    read_originals,
)
from tests.campaigns.quality_transforms import TRANSFORMS, transform_views

SEED = 20261130
# Smooth and mixed pictures are made of the first so many negatives.
SMOOTH_OF = 30


@dataclass(frozen=True)
class WorksSample:
    """One half.

    Attributes:
        photographs: of each part.
        flat: of each part.
        originals: bytes of the flat pictures, by set, name and creator.
    """

    photographs: PhotographSample
    flat: Sample
    originals: dict[tuple[str, str, str], bytes]

    def load_flat(self, picture: Picture) -> Image.Image:
        """Decode a flat picture at its own size."""
        return decode_image(self.originals[picture.data_set, picture.name, picture.creator], LIMITS).pixels

    @cached_property
    def designs(self) -> list[str]:
        """What each item of the corpus shows, whatever its colours: photographs first."""
        return [photograph.sha256 for photograph in self.photographs.registered] + [
            design_of(picture) for picture in self.flat.registered
        ]

    def build_detector(self, fusion: PictureFusion | None = None) -> PictureDetector:
        """Build the detector of the half's corpus."""
        pictures = [photograph.load() for photograph in self.photographs.registered]
        pictures += [self.load_flat(picture) for picture in self.flat.registered]
        corpus = MemoryPictures(pictures)
        views = CopyDetector.build(np.stack([build_view(picture, RECIPE) for picture in pictures]))
        return PictureDetector.of(corpus, views, corpus.regions, fusion)

    def copy_photographs(self, way: str) -> list[PhotographCopy]:
        """Send every registered photograph through one way."""
        others = [photograph.load() for photograph in self.photographs.negative]
        registered = enumerate(self.photographs.registered)
        return [copy_photograph(way, number, photograph.load(), others) for number, photograph in registered]

    def copy_flat(self, transform: str, count: int) -> tuple[list[Image.Image], list[int]]:
        """Send some registered flat pictures through one transform; also the row of each in the corpus."""
        flat = self.flat.registered
        rng = np.random.default_rng([SEED, *transform.encode()])
        chosen = np.sort(rng.choice(len(flat), min(count, len(flat)), replace=False))
        views = transform_views(transform, np.stack([flat[at].view for at in chosen]))
        return [view_to_image(view) for view in views], (chosen + len(self.photographs.registered)).tolist()

    def list_others(self, flat_count: int) -> dict[str, list[Image.Image]]:
        """List what shows nothing registered: photographs, flat pictures (so many at most), smooth and mixed ones."""
        photographs = [photograph.load() for photograph in (*self.photographs.negative, *self.photographs.control)]
        flat = [*self.flat.negative, *self.flat.control]
        chosen = np.random.default_rng(SEED).permutation(len(flat))[:flat_count]
        return {
            "photographs": photographs,
            "flat": [self.load_flat(flat[at]) for at in chosen],
            "smooth and mixed": build_smooth_and_mixed(photographs[:SMOOTH_OF]),
        }


def load_half(half: Half) -> WorksSample:
    """Load one half."""
    pictures = load_pictures(DATA)
    photographs = deal_photographs(load_photographs(DATA))[half]
    return WorksSample(photographs, build_samples(pictures)[half], read_originals(DATA))


def detect(detector: PictureDetector, pictures: Sequence[Image.Image]) -> list[PictureDetections]:
    """Send pictures the gate's way."""
    load: Callable[[int], Image.Image] = pictures.__getitem__
    return detector.detect_many(load, np.zeros((len(pictures), 0), np.int64))


__all__ = ["TRANSFORMS", "WAYS", "WorksSample", "detect", "load_half"]
