"""Parquet with the images inside: Hugging Face's layout, and img2dataset's.

Rules, in order:

1. The image is a column `image` of struct{bytes, path} or of binary, or a binary column called as img2dataset names it, by
   its encoding: jpg, jpeg, png or webp. A file without one is refused as a whole.
2. A row's key is the struct's path, else its column `key` or `file_name`, else its place in the file.
3. The file is mapped and read in batches of rows, so that memory does not grow with it.
4. What a downloader says of a row is honoured, see `columns.accept_download`.
5. Every other column is kept; what JSON has no word for is spelled as text, further binary columns in base64.

Source: https://huggingface.co/docs/datasets/about_dataset_features#image-feature; img2dataset's README, "Output format".
"""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from math import isfinite
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from services.ingest.bulk.rows import BadRow, Row, refuse
from services.ingest.sources.columns import COLUMNS, accept_download, build_row
from services.ingest.sources.source import SourceKind, SourceOptions
from shared.errors import InputError, SleeveError

IMAGE_COLUMNS = ("image", "jpg", "jpeg", "png", "webp")
KEY_COLUMNS = ("key", "file_name")
# Rows decoded at once: at the largest image accepted, 20 MB, this is the most memory that a batch takes.
ROWS_AT_ONCE = 64
# RFC 7493 section 2.2: integers beyond this are not exact in every JSON reader.
MAX_INTEGER = 2**53 - 1


@dataclass(frozen=True)
class Parquet:
    """A source of this kind: one file, or the Parquet files of a folder in the order of their names."""

    path: Path
    options: SourceOptions
    kind = "parquet"

    def files(self) -> list[Path]:
        """The files that decide which rows there are, and in which order."""
        return sorted(self.path.glob("*.parquet")) if self.path.is_dir() else [self.path]

    def count(self) -> int:
        """Count the rows, from the files' footers."""
        total = 0
        for path in self.files():
            with open_parquet(path) as file:
                total += file.metadata.num_rows
        return total

    def rows(self, skip: int = 0) -> Iterator[Row | BadRow]:
        """Yield the rows, but for the first `skip`, of which whole row groups are not read."""
        for path in self.files():
            with open_parquet(path) as file:
                total = file.metadata.num_rows
                column = find_image_column(file.schema_arrow, path)
                for number, columns in read_rows(file, path, skip):
                    yield self._row(columns, column, f"{path.name}, row {number}")
            skip = max(0, skip - total)

    def _row(self, columns: dict[str, Any], image_column: str, place: str) -> Row | BadRow:
        image = columns.pop(image_column)
        data, name = (image.get("bytes"), image.get("path")) if isinstance(image, dict) else (image, None)
        key = str(name or next((columns[column] for column in KEY_COLUMNS if columns.get(column)), place))
        try:
            downloaded = accept_download(columns)
            if not isinstance(data, bytes):
                raise InputError("row has no image bytes; files beside the Parquet file are not read", code="image_missing")
            rest = {column: to_json(value) for column, value in downloaded.items()}
            return build_row(rest, key, self.options, data)
        except SleeveError as error:
            return refuse(key, error)


def open_parquet(path: Path) -> "pq.ParquetFile":
    """Open a Parquet file.

    Raises:
        InputError: it is none.
    """
    try:
        # Mapped: read through a stream, pyarrow 26 holds a row group's whole column, with a buffer size set half of it.
        return pq.ParquetFile(path, memory_map=True, pre_buffer=False)
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path.name} is no Parquet file: {_in_one_line(error)}", code="source_damaged") from error


def read_rows(file: pq.ParquetFile, path: Path, skip: int = 0) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (number from 0, columns) of the rows of an open file, but for the first `skip`.

    Raises:
        InputError: the file is damaged.
    """
    groups, first = _groups_after(file, skip)
    try:
        for batch in file.iter_batches(ROWS_AT_ONCE, row_groups=groups, use_threads=False):
            remaining = batch.slice(max(0, skip - first))
            yield from enumerate(remaining.to_pylist(), start=max(first, skip))
            first += batch.num_rows
    except (OSError, ValueError, pa.ArrowException) as error:
        raise InputError(f"{path.name} is damaged: {_in_one_line(error)}", code="source_damaged") from error


def _in_one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _groups_after(file: pq.ParquetFile, skip: int) -> tuple[list[int], int]:
    """Return the row groups that are not skipped whole, and the number of the first row in them."""
    first, start = 0, 0
    while start < file.num_row_groups and first + file.metadata.row_group(start).num_rows <= skip:
        first += file.metadata.row_group(start).num_rows
        start += 1
    return list(range(start, file.num_row_groups)), first


def find_image_column(schema: pa.Schema, path: Path) -> str:
    """Return the column that holds the images.

    Raises:
        InputError: there is none.
    """
    for name in IMAGE_COLUMNS:
        index = schema.get_field_index(name)
        if index >= 0 and _holds_bytes(schema.field(index).type):
            return name
    raise InputError(
        f"{path.name}: expected a column {', '.join(IMAGE_COLUMNS)} of binary or struct{{bytes, path}}, got {schema.names}",
        code="image_column_missing",
    )


def _holds_bytes(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        index = kind.get_field_index("bytes")
        return index >= 0 and _holds_bytes(kind.field(index).type)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def to_json(value: Any) -> Any:
    """Spell a column's value so that JSON can carry it, and nothing of it is lost.

    >>> to_json({"at": date(2026, 1, 31), "n": 2**60, "mask": b"abc"})
    {'at': '2026-01-31', 'n': '1152921504606846976', 'mask': 'base64:YWJj'}
    """
    if isinstance(value, dict):
        return {str(name): to_json(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(part) for part in value]
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, bytes):
        return "base64:" + base64.b64encode(value).decode("ascii")
    return value if _is_json(value) else str(value)


def _is_json(value: Any) -> bool:
    if isinstance(value, int):
        return abs(value) <= MAX_INTEGER
    return isfinite(value) if isinstance(value, float) else value is None or isinstance(value, str)


def names_urls_only(path: Path) -> bool:
    """Say whether a Parquet file has a column of URLs and none of images.

    Raises:
        InputError: it is no Parquet file.
    """
    with open_parquet(path) as file:
        names = {name.lower() for name in file.schema_arrow.names}
    return not names.isdisjoint(COLUMNS["source_url"]) and names.isdisjoint(IMAGE_COLUMNS)


def _has_parquet(path: Path) -> bool:
    if path.is_dir():
        # img2dataset writes a Parquet file of statuses beside each tar; the images are in the tar.
        return any(path.glob("*.parquet")) and not any(path.glob("*.tar"))
    return path.suffix == ".parquet" and not names_urls_only(path)


KIND = SourceKind(Parquet.kind, Parquet, _has_parquet)
