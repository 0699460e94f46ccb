"""Parquet with the images inside: Hugging Face's layout, and img2dataset's.

Rules, in order:

1. How a row becomes an item, and which columns hold images, is said in `tables`. A file without images is refused as a whole.
2. A folder is its Parquet files; one without any is searched below, as a repository has them in `data/`.
3. The file is mapped and read in batches of rows whose decoded size is bounded (`parquet_batches`).
4. Every further file of a folder has a line (`unnamed_files`).

Source: https://huggingface.co/docs/datasets/repository_structure; img2dataset's README, "Output format".
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from services.ingest.bulk.rows import BadRow, NoPicture, Row
from services.ingest.sources.class_labels import find_labels
from services.ingest.sources.column_names import IMAGE_COLUMNS, find_columns, has_column
from services.ingest.sources.file_trees import FolderTree
from services.ingest.sources.parquet_batches import read_batches
from services.ingest.sources.repeated_keys import RepeatedKeys
from services.ingest.sources.source import SourceKind, SourceOptions
from services.ingest.sources.tables import (
    KEY_COLUMNS,
    TableReader,
    find_image_column,
    find_key,
    holds_images,
    list_rows,
    look_for_image_column,
)
from services.ingest.sources.unnamed_files import find_unnamed, has_pictures
from shared.errors import InputError
from shared.regular_files import require_regular

# Rows decoded at once, where they are small.
ROWS_AT_ONCE = 64
# Rows whose keys are read at once.
_KEYS_AT_ONCE = 4096
ENDINGS = (".parquet",)


@dataclass(frozen=True)
class Parquet:
    """A source of this kind: one file, or the Parquet files of a folder in the order of their names."""

    path: Path
    options: SourceOptions
    kind = "parquet"

    def files(self) -> list[Path]:
        """The files that decide which rows there are, and in which order."""
        return find_parquet_files(self.path) if self.path.is_dir() else [self.path]

    def count(self) -> int:
        """Count the rows, from the files' footers."""
        total = 0
        for path in self.files():
            with open_parquet(path) as file:
                total += file.metadata.num_rows
        return total

    def rows(self, skip: int = 0) -> Iterator[Row | BadRow | NoPicture]:
        """Yield the rows, but for the first `skip`, of which whole row groups are not read; then the other files' lines."""
        for path in self.files():
            with open_parquet(path) as file:
                column = find_image_column(file.schema_arrow, path.name)
                if column.is_list:  # how many items a row has is known when it is read
                    items = (
                        item for number, row in read_rows(file, path) for item in self._reader(file, path).read(number, row)
                    )
                    read = 0
                    for read, item in enumerate(items, start=1):
                        if read > skip:
                            yield item
                    skip = max(0, skip - read)
                    continue
                total, reader = file.metadata.num_rows, self._reader(file, path)
                for number, row in read_rows(file, path, skip):
                    yield from reader.read(number, row)
            skip = max(0, skip - total)
        if self.path.is_dir():
            names = {path.relative_to(self.path).as_posix() for path in self.files()}
            yield from islice(find_unnamed(FolderTree(self.path), names.__contains__, "a table"), skip, None)

    def _reader(self, file: pq.ParquetFile, path: Path) -> TableReader:
        column, labels = find_image_column(file.schema_arrow, path.name), find_labels(file.schema_arrow)
        below = path.relative_to(self.path) if self.path.is_dir() else Path(path.name)
        return TableReader(column, labels, self.options, below.as_posix(), below.with_suffix("").as_posix(), self._repeated)

    @cached_property
    def _repeated(self) -> RepeatedKeys:
        """The keys that several rows use, read from the columns that name them."""
        return RepeatedKeys(key for path in self.files() for key in _read_keys(path))


def find_parquet_files(folder: Path) -> list[Path]:
    """Return the Parquet files of a folder, or where it has none, of the folders below it."""
    return sorted(folder.glob("*.parquet")) or sorted(folder.rglob("*.parquet"))


def _read_keys(path: Path) -> Iterator[str]:
    with open_parquet(path) as file:
        schema = file.schema_arrow
        column = find_image_column(schema, path.name)
        kind = schema.field(schema.names.index(column.name)).type
        has_path = not column.is_list and pa.types.is_struct(kind) and kind.get_field_index("path") >= 0
        named = find_columns(schema.names, KEY_COLUMNS)
        wanted = [*([f"{column.name}.path"] if has_path else []), *named]
        if not wanted:
            return
        try:
            for batch in read_batches(file, path, range(file.num_row_groups), _KEYS_AT_ONCE, wanted):
                for row in batch.to_pylist():
                    image = row.pop(column.name, None) or {}
                    if (key := find_key(row, image.get("path"))) is not None:
                        yield key
        except (OSError, ValueError, pa.ArrowException) as error:
            raise InputError(f"{path.name} is damaged: {_in_one_line(error)}", code="source_damaged") from error


def open_parquet(path: Path) -> "pq.ParquetFile":
    """Open a Parquet file.

    Raises:
        InputError: it is none.
    """
    try:
        require_regular(path)
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
        for batch in read_batches(file, path, groups, ROWS_AT_ONCE):
            remaining = batch.slice(max(0, skip - first))
            yield from enumerate(list_rows(remaining), start=max(first, skip))
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


def names_urls_only(path: Path) -> bool:
    """Say whether a Parquet file has a column of URLs and none of images.

    Raises:
        InputError: it is no Parquet file.
    """
    with open_parquet(path) as file:
        schema = file.schema_arrow
    names = schema.names
    return has_column(names, "source_url") and not find_columns(names, IMAGE_COLUMNS) and look_for_image_column(schema) is None


def _has_parquet(path: Path) -> bool:
    if not path.is_dir():
        return path.suffix in ENDINGS and not names_urls_only(path)
    # img2dataset writes a Parquet file of statuses beside each tar or folder of images; the images are in those.
    if any(path.rglob("*.tar")):
        return False
    files = find_parquet_files(path)
    return bool(files) and (holds_images(files[0]) or not has_pictures(path))


KIND = SourceKind(Parquet.kind, Parquet, _has_parquet, endings=ENDINGS)
