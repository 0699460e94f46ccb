"""The photographs of the quality benchmark and who plays which part: registered, control or negative, to tune or to judge.

Rules, in order:

1. Pictures are the 366 photographs beside the project, at the size that they have (longest side at most 512 px). Three are
   there twice; of equal files the first is kept.
2. A family is the pictures of one creator. Names are compared without markup, case and punctuation; who is named in several
   ways (`ONE_CREATOR`) is one creator.
3. Families are dealt, largest first, to six parts: (registered | control | negative) × (tuning | judged). Each goes where most
   is missing. So no creator is in two parts.
4. Smooth and mixed negatives are made from other negatives: blurred until only tones are left, and averages of four.
"""

import hashlib
import html
import json
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter, ImageOps

from shared.vision.image_decoding import decode_image
from tests.campaigns.quality_pictures import LIMITS

# Pictures of each part: 40 % to tune, 60 % to judge, where negatives are what a false-positive rate rests on.
SIZES = {
    ("tuning", "registered"): 50,
    ("tuning", "control"): 36,
    ("tuning", "negative"): 59,
    ("judged", "registered"): 60,
    ("judged", "control"): 40,
    ("judged", "negative"): 118,
}
# A part of a name that stands for one creator in all its spellings.
ONE_CREATOR = (
    "mdf",
    "homler",
    "majoros",
    "dewhurst",
    "fuertes",
    "fishandwildlife",
    "usfws",
    "naturespicsonline",
    "dickdaniels",
)
# "Smooth": no drawing is left, only tones.
SMOOTH_SHARE = 1 / 12
MIXED_OF = 4


@dataclass(frozen=True)
class Photograph:
    """One photograph: its file, its creator as compared, its digest."""

    path: Path
    creator: str
    sha256: str

    def load(self) -> Image.Image:
        """Decode it, upright RGB."""
        return decode_image(self.path.read_bytes(), LIMITS).pixels


@dataclass(frozen=True)
class PhotographSample:
    """One half: the photographs of each part."""

    registered: tuple[Photograph, ...]
    control: tuple[Photograph, ...]
    negative: tuple[Photograph, ...]


def load_photographs(folder: Path) -> list[Photograph]:
    """List the photographs of the folder of data sets, each file once."""
    lines = (folder / "photos" / "metadata.jsonl").read_text(encoding="utf-8").splitlines()
    rows = {row["sha256"]: row for row in reversed([json.loads(line) for line in lines])}
    return [
        Photograph(folder / "photos" / row["file_name"], name_creator(row["creator"]), digest)
        for digest, row in reversed(rows.items())
    ]


def name_creator(name: str) -> str:
    """Bring a creator's name to the form that is compared.

    >>> name_creator('<a href="//example.org">Mdf</a> assumed'), name_creator("Dominic Sherony")
    ('mdf', 'dominicsherony')
    """
    bare = re.sub(r"[\W_]+", "", re.sub(r"<[^>]*>", "", html.unescape(name)).lower())
    return next((creator for creator in ONE_CREATOR if creator in bare), bare)


def deal_photographs(photographs: Sequence[Photograph]) -> dict[str, PhotographSample]:
    """Deal photographs to the parts of both halves; a sample for each half, by its name."""
    families: dict[str, list[Photograph]] = defaultdict(list)
    for photograph in photographs:
        families[photograph.creator].append(photograph)
    missing = {key: size * len(photographs) / sum(SIZES.values()) for key, size in SIZES.items()}
    dealt: dict[tuple[str, str], list[Photograph]] = {key: [] for key in SIZES}
    for family in sorted(families.values(), key=lambda family: (-len(family), _shuffled(family[0].creator))):
        at = max(missing, key=lambda key: missing[key])
        missing[at] -= len(family)
        dealt[at] += family
    parts = {key: tuple(sorted(part, key=lambda photograph: _shuffled(photograph.sha256))) for key, part in dealt.items()}
    return {
        half: PhotographSample(parts[half, "registered"], parts[half, "control"], parts[half, "negative"])
        for half in ("tuning", "judged")
    }


def build_smooth_and_mixed(pictures: Sequence[Image.Image]) -> list[Image.Image]:
    """Make negatives that resemble much: each picture blurred, then as many averages of four.

    Args:
        pictures: RGB, at least four.
    """
    smooth = [picture.filter(ImageFilter.GaussianBlur(SMOOTH_SHARE * max(picture.size))) for picture in pictures]
    mixed = []
    for at, picture in enumerate(pictures):
        others = [pictures[(at + step * len(pictures) // MIXED_OF) % len(pictures)] for step in range(MIXED_OF)]
        planes = [np.asarray(ImageOps.fit(other, picture.size), np.float64) for other in others]
        mixed.append(Image.fromarray(np.rint(np.mean(planes, axis=0)).astype(np.uint8)))
    return smooth + mixed


def _shuffled(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
