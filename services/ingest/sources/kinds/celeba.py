"""CelebA in its own layout: `img_align_celeba/` beside the lists of attributes, landmarks, partition and identity.

Rules, in order:

1. A row is an image of the folder or a line of a list; an image without a line and a line without an image are both met.
2. Attributes, landmarks, partition and identity are kept with the item; identities are numbers, no names. The lists of boxes
   and landmarks in the pictures before alignment are of other pictures and left out.
3. CelebA names no owner and no origin of any image. That is recorded as a search that found none, with what its agreement
   says; nobody is presumed to own an image, neither the publisher of the set nor the person in the picture.
4. The licence is the set's own unless another is given: non-commercial research only, which is not on SPDX's list. It binds
   whoever uses the set. It is no licence of the images' owners, and the search says so.

Source: https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html, "Agreement", and the README of the data set.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from services.ingest.bulk.rows import BadRow, NoPicture, Row, refuse, validate_registration
from services.ingest.sources.file_trees import FolderTree
from services.ingest.sources.image_files import ImageFiles
from services.ingest.sources.source import SourceKind, SourceOptions
from services.ingest.sources.unnamed_files import find_unnamed
from shared.clock import timestamp, utc_now
from shared.errors import InputError, SleeveError
from shared.regular_files import open_regular

PAGE = "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html"
LICENCE = "LicenseRef-CelebA-non-commercial-research"
# What the agreement on that page says of the images, and what it does not say.
NO_OWNER = (
    "no owner named; the agreement says that all images were obtained from the Internet and are not property of MMLAB, The "
    "Chinese University of Hong Kong, and gives the set for non-commercial research only; copyright stays with whoever holds "
    "it, and no licence of theirs is known"
)

IMAGES = "img_align_celeba"
ATTRIBUTES, LANDMARKS = "list_attr_celeba.txt", "list_landmarks_align_celeba.txt"
PARTITION, IDENTITY = "list_eval_partition.txt", "identity_CelebA.txt"
_LISTS = (ATTRIBUTES, LANDMARKS, PARTITION, IDENTITY)
# README of the data set: these begin with a count and a line of names.
_WITH_HEAD = frozenset({ATTRIBUTES, LANDMARKS})
# README of the data set, "EVALUATION PARTITIONS".
PARTITIONS = {"0": "training", "1": "validation", "2": "testing"}
# The set as published has its images and lists in these folders; most copies have them side by side.
FOLDERS = (".", "Img", "Anno", "Eval")


@dataclass(frozen=True)
class CelebA:
    """A source of this kind."""

    path: Path
    options: SourceOptions
    kind = "celeba"

    def files(self) -> list[Path]:
        """The files that decide which rows there are, and in which order."""
        parts = (find_part(self.path, name) for name in (IMAGES, *_LISTS))
        return [path for path in parts if path is not None]

    def count(self) -> int:
        """Count the images and the lines without one."""
        return len(self._names(self._lists()))

    def rows(self, skip: int = 0) -> Iterator[Row | BadRow | NoPicture]:
        """Yield the rows in the order of their file names, but for the first `skip`; then a line for each further file."""
        lists = self._lists()
        names = self._names(lists)
        images = ImageFiles(_images(self.path), self.options.max_bytes)
        for name in names[skip:]:
            try:
                registration = validate_registration(self._record(name, lists.columns(name)))
                yield Row(name, registration, images.load(name))
            except SleeveError as error:
                yield refuse(name, error)

        own = {path.relative_to(self.path).as_posix() for path in self.files() if path.is_file()}
        folder = _images(self.path).relative_to(self.path)
        own |= {(folder / name).as_posix() for name in names}
        yield from islice(find_unnamed(FolderTree(self.path), own.__contains__, "a list"), max(0, skip - len(names)), None)

    def _lists(self) -> "_Lists":
        return _Lists(*(_read_list(find_part(self.path, name)) for name in _LISTS))

    def _names(self, lists: "_Lists") -> list[str]:
        present = (path.name for path in _images(self.path).iterdir())
        return sorted({name for name in present if not name.startswith(".")} | lists.names())

    def _record(self, name: str, extra: dict[str, Any]) -> dict[str, Any]:
        search = {"source": PAGE, "searched_at": timestamp(utc_now()), "result": NO_OWNER}
        return {
            "dataset": self.options.dataset,
            "source_key": name,
            "acquirer": self.options.acquirer,
            "licence": self.options.licence or LICENCE,
            "licence_url": None if self.options.licence else PAGE,
            "diligence": [search],
            "extra": extra,
        }


@dataclass(frozen=True)
class _Lists:
    """The lists of CelebA: the rest of an image's line, by its file name; the columns' names under the empty name."""

    attributes: dict[str, str]
    landmarks: dict[str, str]
    partition: dict[str, str]
    identity: dict[str, str]

    def names(self) -> set[str]:
        """Every image that a list names."""
        return (self.attributes.keys() | self.landmarks.keys() | self.partition.keys() | self.identity.keys()) - {""}

    def columns(self, name: str) -> dict[str, Any]:
        """What the lists say of an image.

        Raises:
            InputError: a line does not fit its list.
        """
        columns: dict[str, Any] = {}
        if name in self.attributes:
            columns["attributes"] = _parse_attributes(self.attributes[""].split(), self.attributes[name].split())
        if name in self.landmarks:
            columns["landmarks_px"] = _parse_landmarks(self.landmarks[""].split(), self.landmarks[name].split())
        if name in self.partition:
            columns["partition"] = PARTITIONS.get(self.partition[name], self.partition[name])
        if name in self.identity:
            columns["identity"] = self.identity[name]
        return columns


def find_part(folder: Path, name: str) -> Path | None:
    """Return where a part of CelebA is, if it is there."""
    return next((path for parent in FOLDERS if (path := folder / parent / name).exists()), None)


def _images(folder: Path) -> Path:
    images = find_part(folder, IMAGES)
    if images is None or not images.is_dir():
        raise InputError(f"expected a folder {IMAGES} in {folder}, got none", code="folder_missing")
    return images


def _read_list(path: Path | None) -> dict[str, str]:
    """Read a list; the line of names that some begin with is kept under the empty name."""
    if path is None:
        return {}
    try:
        with open_regular(path) as file:
            lines = file.read().decode("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"{path.name} cannot be read: {error}", code="metadata_invalid") from error
    head = {}
    if path.name in _WITH_HEAD:
        if len(lines) < 2 or not lines[0].strip().isdigit():
            raise InputError(f"{path.name}: expected a count and a line of names, got {lines[:1]}", code="metadata_invalid")
        head, lines = {"": lines[1]}, lines[2:]
    split = (line.split(maxsplit=1) for line in lines if line.strip())
    return head | {parts[0]: parts[1].strip() if len(parts) > 1 else "" for parts in split}


def _parse_attributes(names: list[str], values: list[str]) -> dict[str, bool]:
    if len(values) != len(names) or set(values) - {"1", "-1"}:
        raise InputError(f"expected {len(names)} attributes of 1 or -1, got {len(values)}: {values[:3]}", code="row_invalid")
    return {name: value == "1" for name, value in zip(names, values, strict=True)}


def _parse_landmarks(names: list[str], values: list[str]) -> dict[str, int]:
    try:
        return {name: int(value) for name, value in zip(names, values, strict=True)}
    except ValueError as error:
        raise InputError(
            f"expected {len(names)} landmarks in pixels, got {len(values)}: {values[:3]}", code="row_invalid"
        ) from error


def _has_images(path: Path) -> bool:
    return path.is_dir() and find_part(path, IMAGES) is not None


KIND = SourceKind(CelebA.kind, CelebA, _has_images)
