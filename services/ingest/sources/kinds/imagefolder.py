"""Hugging Face imagefolder: a folder of images with `metadata.jsonl` or `metadata.csv`, column `file_name`.

Source: https://huggingface.co/docs/datasets/image_dataset#imagefolder
"""

import csv
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from services.ingest.bulk.rows import BadRow, Row, refuse
from services.ingest.sources.columns import build_row
from services.ingest.sources.image_files import ImageFiles
from services.ingest.sources.source import SourceKind, SourceOptions
from shared.errors import InputError, SleeveError

METADATA_NAMES = ("metadata.jsonl", "metadata.csv")
# What `surrogateescape` makes of a byte that is not UTF-8 (PEP 383).
_STRAY_BYTE = re.compile("[\udc80-\udcff]")


@dataclass(frozen=True)
class ImageFolder:
    """A source of this kind."""

    path: Path
    options: SourceOptions
    kind = "imagefolder"

    def files(self) -> list[Path]:
        """The files that decide which rows there are, and in which order."""
        return [find_metadata(self.path)]

    def count(self) -> int:
        """Count the metadata rows."""
        return count_rows(self.path)

    def rows(self, skip: int = 0) -> Iterator[Row | BadRow]:
        """Yield the rows, but for the first `skip`."""
        images = ImageFiles(self.path, self.options.max_bytes)
        for number, columns in islice(_read_metadata(find_metadata(self.path)), skip, None):
            key = f"line {number}"
            try:
                if isinstance(columns, InputError):
                    raise columns
                key = _file_name(columns)
                rest = {name: value for name, value in columns.items() if name != "file_name"}
                yield build_row(rest, key, self.options, images.load(key))
            except SleeveError as error:
                yield refuse(key, error)


def find_metadata(folder: Path) -> Path:
    """Return the metadata file of an imagefolder.

    Raises:
        InputError: the folder does not exist, or has no metadata file, or two.
    """
    if not folder.is_dir():
        raise InputError(f"expected a folder, got {folder}", code="folder_missing")
    metadata_files = [folder / name for name in METADATA_NAMES if (folder / name).is_file()]
    if len(metadata_files) != 1:
        raise InputError(
            f"expected one of {' or '.join(METADATA_NAMES)} in {folder}, got {len(metadata_files)}", code="metadata_missing"
        )
    return metadata_files[0]


def count_rows(folder: Path) -> int:
    """Count the metadata rows of an imagefolder, for progress."""
    return sum(1 for _ in _read_metadata(find_metadata(folder)))


def read_imagefolder(folder: Path, dataset: str, acquirer: str, max_bytes: int) -> Iterator[Row | BadRow]:
    """Yield the rows of an imagefolder, each with its bytes, or what is wrong with it.

    Args:
        folder: holds the metadata file; images are looked for below it and nowhere else.
        dataset: which data set the items belong to.
        acquirer: who is responsible for obtaining them.
        max_bytes: no more of a file is read than one byte beyond this.

    Raises:
        InputError: the folder or its metadata file is missing.
    """
    return ImageFolder(folder, SourceOptions(dataset, acquirer, max_bytes)).rows()


def _read_metadata(path: Path) -> Iterator[tuple[int, dict[str, Any] | InputError]]:
    try:
        # Bytes that are not UTF-8 come as surrogates (PEP 383), so that they spoil their own row only.
        newline = "" if path.suffix == ".csv" else None
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline=newline) as file:
            if path.suffix == ".csv":
                yield from ((number, _check_row(row)) for number, row in enumerate(csv.DictReader(file), start=2))
                return
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield number, _parse_line(line)
    except csv.Error as error:
        raise InputError(f"{path.name} cannot be read: {error}", code="metadata_invalid") from error


def _check_row(row: dict[str, Any]) -> dict[str, Any] | InputError:
    return _not_utf8() if _STRAY_BYTE.search("".join(map(str, row.values()))) else dict(row)


def _not_utf8() -> InputError:
    return InputError("row is not UTF-8", code="row_invalid")


def _parse_line(line: str) -> dict[str, Any] | InputError:
    if _STRAY_BYTE.search(line):
        return _not_utf8()
    try:
        columns = json.loads(line)
    except (ValueError, RecursionError) as error:
        return InputError(f"row is no JSON: {error}", code="row_invalid")
    if not isinstance(columns, dict):
        return InputError(f"expected a JSON object a row, got {type(columns).__name__}", code="row_invalid")
    return columns


def _file_name(columns: dict[str, Any]) -> str:
    name = columns.get("file_name")
    if not isinstance(name, str) or not name:
        raise InputError("row has no file_name", code="row_invalid")
    return name


def _has_metadata(path: Path) -> bool:
    return any((path / name).is_file() for name in METADATA_NAMES)


KIND = SourceKind(ImageFolder.kind, ImageFolder, _has_metadata)
