"""CelebA in its own layout: `img_align_celeba/` beside the lists of attributes, partition and identity.

Rules, in order:

1. A row is an image of the folder or a line of a list; an image without a line and a line without an image are both met.
2. Attributes, partition and identity are kept with the item; identities are numbers, no names.
3. CelebA names no owner of any image. That is recorded as a search that found none, with CelebA's own words as its result.
4. The licence is CelebA's own unless another is given: non-commercial research only, which is not on SPDX's list.

Source: https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html, "Agreement", and the README of the data set.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from services.ingest.sources.image_files import ImageFiles
from services.ingest.sources.rows import BadRow, Row, SourceOptions, refuse, validate_registration
from shared.clock import timestamp, utc_now
from shared.errors import InputError, SleeveError

PAGE = "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html"
LICENCE = "LicenseRef-CelebA-non-commercial-research"
# The agreement on that page: images are from the Internet and not the property of the university that published the set.
NO_OWNER = "no owner named: CelebA states that all images are obtained from the Internet and are not the property of CUHK"

IMAGES = "img_align_celeba"
ATTRIBUTES, PARTITION, IDENTITY = "list_attr_celeba.txt", "list_eval_partition.txt", "identity_CelebA.txt"
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
        found = (find_part(self.path, name) for name in (IMAGES, ATTRIBUTES, PARTITION, IDENTITY))
        return [path for path in found if path is not None]

    def count(self) -> int:
        """Count the images and the lines without one."""
        return len(self._names(self._lists()))

    def rows(self, skip: int = 0) -> Iterator[Row | BadRow]:
        """Yield the rows in the order of their file names, but for the first `skip`."""
        lists = self._lists()
        images = ImageFiles(_images(self.path), self.options.max_bytes)
        for name in islice(self._names(lists), skip, None):
            try:
                registration = validate_registration(self._record(name, lists.columns(name)))
                yield Row(name, registration, images.load(name))
            except SleeveError as error:
                yield refuse(name, error)

    def _lists(self) -> "_Lists":
        return _Lists(*(_read_list(find_part(self.path, name)) for name in (ATTRIBUTES, PARTITION, IDENTITY)))

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
    """The lists of CelebA: the rest of an image's line, by its file name; the attributes' names under the empty name."""

    attributes: dict[str, str]
    partition: dict[str, str]
    identity: dict[str, str]

    def names(self) -> set[str]:
        """Every image that a list names."""
        return (self.attributes.keys() | self.partition.keys() | self.identity.keys()) - {""}

    def columns(self, name: str) -> dict[str, Any]:
        """What the lists say of an image.

        Raises:
            InputError: a line does not fit its list.
        """
        columns: dict[str, Any] = {}
        if name in self.attributes:
            columns["attributes"] = _parse_attributes(self.attributes[""].split(), self.attributes[name].split())
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
    """Read a list; the attributes' one begins with a count and a line of names, kept under the empty name."""
    if path is None:
        return {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"{path.name} cannot be read: {error}", code="metadata_invalid") from error
    head = {}
    if path.name == ATTRIBUTES:
        if len(lines) < 2 or not lines[0].strip().isdigit():
            raise InputError(f"{path.name}: expected a count and a line of names, got {lines[:1]}", code="metadata_invalid")
        head, lines = {"": lines[1]}, lines[2:]
    split = (line.split(maxsplit=1) for line in lines if line.strip())
    return head | {parts[0]: parts[1].strip() if len(parts) > 1 else "" for parts in split}


def _parse_attributes(names: list[str], values: list[str]) -> dict[str, bool]:
    if len(values) != len(names) or set(values) - {"1", "-1"}:
        raise InputError(f"expected {len(names)} attributes of 1 or -1, got {len(values)}: {values[:3]}", code="row_invalid")
    return {name: value == "1" for name, value in zip(names, values, strict=True)}
