"""The pictures of the quality benchmark and who plays which part: registered, control or negative, to tune or to judge.

Rules, in order:

1. Pictures are the four real data sets beside the project, each as its canonical view (64 px, RGB). Of pictures with equal
   views only the first is kept.
2. A *family* is what may not be torn apart: the pictures of one creator. The dungeon tiles name one creator for all; there a
   family is a folder, two levels deep (`item/book`), and folders that hold the same picture, or one picture in other colours,
   are one family. "In other colours" is exact: both fall into the same regions of equal colour.
3. Families are dealt, largest first, to six parts: (registered | control | negative) × (tuning | judged). Each goes where most
   is missing. So no creator, and no family of tiles, is in two parts.
4. What sets are large in is capped, so that no set alone decides the result.
5. *Variants* are registered designs in other colours: of registered families whose pictures differ by skin tone or a colour
   word only, one picture is taken out of the register and kept aside. They are neither positives nor negatives.
"""

import hashlib
import json
import re
import tarfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pyarrow import parquet

from shared.vision.image_decoding import decode_image
from shared.vision.image_limits import ImageLimits
from shared.vision.views import ViewRecipe, build_view
from tests.support.paths import SHARED

DATA = SHARED / "data"
RECIPE = ViewRecipe(resolution_px=64, channels=3)
# The sets are known to be small, well-formed pictures; the bounds only have to let them through.
LIMITS = ImageLimits(max_bytes=1 << 20, max_px=1 << 20, min_side_px=8)
HALVES = ("tuning", "judged")
PARTS = ("registered", "control", "negative")
# Shares of a set that its parts are to have in each half: as many registered as leave a thousand negatives, the fewest
# that give a rate of 0.1 % a meaning.
SHARES = {"registered": 0.22, "control": 0.14, "negative": 0.14}
# Most pictures of a part (in a half) from one set; omniglot and game_icons would otherwise outweigh the rest.
CAPS = {"registered": 900, "control": 550, "negative": 550}
SET_CAPS = {"game_icons": {"registered": 600}, "omniglot": {"registered": 484, "control": 242, "negative": 242}}
COLOURS = frozenset(
    re.findall(
        r"\w+",
        "black, white, red, green, blue, yellow, orange, purple, violet, pink, brown, gray, grey, cyan, magenta, gold, "
        "silver, teal, indigo, darkred, darkgreen, darkblue, darkgray, darkgrey, lightred, lightgreen, lightblue, "
        "lightgray, lightgrey, lightcyan, lightmagenta, darkbrown, lightbrown, almost, dark, light, pale, slime, "
        "mottled ",
    )
)
SKIN_TONES = re.compile(r"-1F3F[B-F]")

Pixels = NDArray[np.uint8]
Half = Literal["tuning", "judged"]


@dataclass(frozen=True)
class Picture:
    """One picture: its set, its name there, its creator, its view uint8 (3, 64, 64) and its digest in any colours."""

    data_set: str
    name: str
    creator: str
    view: Pixels
    regions: str


@dataclass(frozen=True)
class Sample:
    """One half of the benchmark: the pictures of each part."""

    registered: tuple[Picture, ...]
    control: tuple[Picture, ...]
    negative: tuple[Picture, ...]
    variant: tuple[Picture, ...]


def load_pictures(folder: Path) -> list[Picture]:
    """Load every picture of the real sets, without those whose view was met before."""
    pictures: list[Picture] = []
    seen: set[bytes] = set()
    for data_set, name, creator, data in _rows(folder):
        image = decode_image(data, LIMITS).pixels
        view = build_view(image, RECIPE)
        if view.tobytes() not in seen:
            seen.add(view.tobytes())
            pictures.append(Picture(data_set, name, creator, view, _regions_digest(image)))
    return pictures


def read_originals(folder: Path) -> dict[tuple[str, str, str], bytes]:
    """Read the bytes of every picture, by its set, name and creator."""
    return {(data_set, name, creator): data for data_set, name, creator, data in _rows(folder)}


def _rows(folder: Path) -> Iterator[tuple[str, str, str, bytes]]:
    for data_set in ("dcss_tiles", "openmoji"):
        for line in (folder / data_set / "metadata.jsonl").read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            yield data_set, Path(row["file_name"]).stem, row["creator"], (folder / data_set / row["file_name"]).read_bytes()
    with tarfile.open(folder / "game_icons.tar") as archive:
        files = {member.name: archive.extractfile(member) for member in archive.getmembers()}
        held = {name: file.read() for name, file in files.items() if file is not None}
    for name in sorted(name for name in held if name.endswith(".png")):
        row = json.loads(held[name.removesuffix(".png") + ".json"])
        yield "game_icons", row["title"], row["creator"], held[name]
    for row in parquet.read_table(folder / "omniglot.parquet").to_pylist():
        yield "omniglot", row["title"], row["creator"], row["image"]["bytes"]


def _regions_digest(image: Image.Image) -> str:
    """Digest of which pixels share a colour, whatever the colours are."""
    pixels = np.asarray(image, np.int64) @ np.array([65536, 256, 1])
    _, first, label = np.unique(pixels, return_index=True, return_inverse=True)
    order = np.empty(len(first), np.int64)
    order[np.argsort(first)] = np.arange(len(first))
    return hashlib.sha256(f"{image.size}".encode() + order[label].astype(np.int32).tobytes()).hexdigest()


def build_samples(pictures: list[Picture]) -> dict[str, Sample]:
    """Deal the pictures to the parts of both halves.

    Args:
        pictures: what `load_pictures` gave.

    Returns:
        A sample for each half, by its name.
    """
    dealt: dict[tuple[str, str], list[Picture]] = {(half, part): [] for half in HALVES for part in PARTS}
    for data_set in sorted({picture.data_set for picture in pictures}):
        _deal(data_set, [picture for picture in pictures if picture.data_set == data_set], dealt)
    samples = {}
    for half in HALVES:
        registered, variants = _split_variants(dealt[half, "registered"])
        samples[half] = Sample(
            tuple(registered), tuple(dealt[half, "control"]), tuple(dealt[half, "negative"]), tuple(variants)
        )
    return samples


def _deal(data_set: str, pictures: list[Picture], dealt: dict[tuple[str, str], list[Picture]]) -> None:
    families = sorted(_families(pictures), key=lambda family: (-len(family), _shuffled(family[0].name)))
    caps = CAPS | SET_CAPS.get(data_set, {})
    missing = {(half, part): SHARES[part] * len(pictures) for part in PARTS for half in HALVES}
    taken: dict[tuple[str, str], list[Picture]] = defaultdict(list)
    for family in families:
        at = max(missing, key=lambda key: missing[key])
        missing[at] -= len(family)
        taken[at] += family
    for at, got in taken.items():
        chosen = sorted(got, key=lambda picture: _shuffled(picture.creator + picture.name))[: caps[at[1]]]
        dealt[at] += sorted(chosen, key=lambda picture: (picture.creator, picture.name))


def _families(pictures: list[Picture]) -> list[list[Picture]]:
    """Group the pictures of one set by rule 2."""
    several_creators = len({picture.creator for picture in pictures}) > 1
    key: Callable[[Picture], str] = (lambda picture: picture.creator) if several_creators else _tile_family
    root: dict[str, str] = {}

    def find(node: str) -> str:
        while root.setdefault(node, node) != node:
            node = root[node]
        return node

    for picture in pictures:
        root[find(key(picture))] = find("" if several_creators else picture.regions) or find(key(picture))
    grouped: dict[str, list[Picture]] = defaultdict(list)
    for picture in pictures:
        grouped[find(key(picture))].append(picture)
    return list(grouped.values())


def _tile_family(picture: Picture) -> str:
    return "/".join(picture.name.split("__")[:-1][:2])


def design_of(picture: Picture) -> str:
    """Name a picture's design without what only names its colours; pictures of one design are one cluster."""
    name = picture.name
    if picture.data_set == "openmoji":
        name = SKIN_TONES.sub("", name)
    if picture.data_set == "dcss_tiles":
        *folders, last = name.split("__")
        words = [word for word in last.split("_") if word.rstrip("0123456789") not in COLOURS]
        name = "/".join([*folders, "_".join(words)])
    return f"{picture.data_set} {picture.creator} {name}"


def _split_variants(pictures: list[Picture]) -> tuple[list[Picture], list[Picture]]:
    designs: dict[str, list[Picture]] = defaultdict(list)
    for picture in pictures:
        designs[design_of(picture)].append(picture)
    # The last of each design with several pictures; what is left of it stays registered.
    aside = {id(same[-1]) for same in designs.values() if len(same) > 1}
    registered = [picture for picture in pictures if id(picture) not in aside]
    return registered, [picture for picture in pictures if id(picture) in aside]


def _shuffled(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def stack_views(pictures: tuple[Picture, ...]) -> Pixels:
    """Stack the views of pictures, uint8 (n, 3, 64, 64)."""
    return np.stack([picture.view for picture in pictures])
