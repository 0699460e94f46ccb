"""Hugging Face imagefolder: a folder of images with `metadata.jsonl` or `metadata.csv`, column `file_name`.

Source: https://huggingface.co/docs/datasets/image_dataset#imagefolder
"""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from services.ingest.sources.rows import BadRow, Row, build_registration
from shared.canonical import sha256_hex
from shared.errors import InputError, SleeveError

METADATA_NAMES = ("metadata.jsonl", "metadata.csv")


def find_metadata(folder: Path) -> Path:
    """Return the metadata file of an imagefolder.

    Raises:
        InputError: the folder does not exist, or has no metadata file, or two.
    """
    if not folder.is_dir():
        raise InputError(f"expected a folder, got {folder}", code="folder_missing")
    found = [folder / name for name in METADATA_NAMES if (folder / name).is_file()]
    if len(found) != 1:
        raise InputError(
            f"expected one of {' or '.join(METADATA_NAMES)} in {folder}, got {len(found)}", code="metadata_missing"
        )
    return found[0]


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
    for number, columns in _read_metadata(find_metadata(folder)):
        key = f"line {number}"
        try:
            if isinstance(columns, InputError):
                raise columns
            key = _file_name(columns)
            rest = {name: value for name, value in columns.items() if name != "file_name"}
            registration, expected = build_registration(rest, key, dataset, acquirer)
            yield Row(key, registration, _read_image(folder, key, expected, max_bytes))
        except SleeveError as error:
            yield BadRow(key, error)


def _read_metadata(path: Path) -> Iterator[tuple[int, dict[str, Any] | InputError]]:
    with path.open(encoding="utf-8-sig", newline="" if path.suffix == ".csv" else None) as file:
        if path.suffix == ".csv":
            yield from ((number, dict(row)) for number, row in enumerate(csv.DictReader(file), start=2))
            return
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield number, _parse_line(line)


def _parse_line(line: str) -> dict[str, Any] | InputError:
    try:
        columns = json.loads(line)
    except ValueError as error:
        return InputError(f"row is no JSON: {error}", code="row_invalid")
    if not isinstance(columns, dict):
        return InputError(f"expected a JSON object a row, got {type(columns).__name__}", code="row_invalid")
    return columns


def _file_name(columns: dict[str, Any]) -> str:
    name = columns.get("file_name")
    if not isinstance(name, str) or not name:
        raise InputError("row has no file_name", code="row_invalid")
    return name


def _read_image(folder: Path, name: str, expected_sha256: str | None, max_bytes: int) -> bytes:
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise InputError(f"file_name leads out of the folder: {name}", code="path_outside")
    try:
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except OSError as error:
        raise InputError(f"file cannot be read: {error.strerror}", code="file_missing") from error
    if expected_sha256 is not None and len(data) <= max_bytes:
        got = sha256_hex(data)
        if got != str(expected_sha256).lower():
            raise InputError(
                f"bytes differ from the row's sha256: expected {expected_sha256}, got {got}", code="sha256_differs"
            )
    return data
