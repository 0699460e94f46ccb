"""Arrow, as `save_to_disk` of Hugging Face's datasets writes it: a folder of `.arrow` files, or one for each split.

Rules, in order:

1. How a row becomes an item, and which columns hold images, is said in `tables`. A file without images is refused as a whole.
2. `state.json` lists the files of a data set, `dataset_dict.json` its splits. What they list and is not there is an error.
3. Every further file of the folder has a line (`unnamed_files`).

Source: https://huggingface.co/docs/datasets/process#save; the Arrow columnar format, "Serialization and Interprocess
Communication (IPC)".
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from services.ingest.bulk.rows import BadRow, NoPicture, Row
from services.ingest.sources.class_labels import Labels, find_labels, read_labels
from services.ingest.sources.file_trees import FolderTree
from services.ingest.sources.repeated_keys import RepeatedKeys
from services.ingest.sources.source import SourceKind, SourceOptions
from services.ingest.sources.tables import TableReader, find_image_column, find_row_key, list_rows
from services.ingest.sources.unnamed_files import find_unnamed
from shared.errors import InputError
from shared.regular_files import require_regular

STATE, SPLITS, INFO = "state.json", "dataset_dict.json", "dataset_info.json"
# Rows of a batch that are Python objects at once.
ROWS_AT_ONCE = 64
ENDINGS = (".arrow",)


@dataclass(frozen=True)
class Arrow:
    """A source of this kind."""

    path: Path
    options: SourceOptions
    kind = "arrow"

    def files(self) -> list[Path]:
        """The files that decide which rows there are, and in which order.

        Raises:
            InputError: a list of files cannot be read.
        """
        return self._files

    @cached_property
    def _files(self) -> list[Path]:
        if not self.path.is_dir():
            return [self.path]
        described = _load_json(self.path / SPLITS)
        folders = [self.path / str(split) for split in described.get("splits", [])] or [self.path]
        files = [path for folder in folders for path in _find_files(folder)]
        return files or sorted(self.path.rglob("*.arrow"))

    def count(self) -> int | None:
        """Return None: only reading everything would tell."""
        return None

    def rows(self, skip: int = 0) -> Iterator[Row | BadRow | NoPicture]:
        """Yield the rows, but for the first `skip`, then a line for each further file."""
        yield from islice(self._rows(), skip, None)

    def _rows(self) -> Iterator[Row | BadRow | NoPicture]:
        repeated = self._repeated
        for path in self.files():
            reader: TableReader | None = None
            for number, (schema, row) in enumerate(_read_rows(path)):
                reader = reader or self._reader(schema, path, repeated)
                yield from reader.read(number, row)
        if self.path.is_dir():
            names = {path.relative_to(self.path).as_posix() for path in self.files()}
            yield from find_unnamed(FolderTree(self.path), names.__contains__, "a table")

    def _reader(self, schema: pa.Schema, path: Path, repeated: RepeatedKeys) -> TableReader:
        below = path.relative_to(self.path) if self.path.is_dir() else Path(path.name)
        labels = find_labels(schema) or _labels_beside(path)
        column = find_image_column(schema, path.name)
        shard = below.with_suffix("").as_posix()
        return TableReader(column, labels, self.options, below.as_posix(), shard, repeated)

    @cached_property
    def _repeated(self) -> RepeatedKeys:
        keys = (find_row_key(schema, row, path.name) for path in self.files() for schema, row in _read_rows(path))
        return RepeatedKeys(key for key in keys if key is not None)


def _find_files(folder: Path) -> list[Path]:
    names = [str(file.get("filename")) for file in _load_json(folder / STATE).get("_data_files", []) if isinstance(file, dict)]
    paths = [folder / Path(name).name for name in names] or sorted(folder.glob("*.arrow"))
    for path in paths:
        if not path.is_file():
            raise InputError(f"expected {path.name} in {folder.name}, which {STATE} lists, got none", code="file_missing")
    return paths


def _load_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path.name} cannot be read: {error}", code="metadata_invalid") from error
    return content if isinstance(content, dict) else {}


def _labels_beside(path: Path) -> Labels:
    return read_labels(_load_json(path.parent / INFO).get("features"))


def _read_rows(path: Path) -> Iterator[tuple[pa.Schema, dict[str, Any]]]:
    try:
        require_regular(path)
        with pa.memory_map(str(path)) as file:
            for schema, batch in _read_batches(file):
                for start in range(0, batch.num_rows, ROWS_AT_ONCE):
                    for row in list_rows(batch.slice(start, ROWS_AT_ONCE)):
                        yield schema, row
    except (OSError, ValueError, pa.ArrowException) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path.name} is no Arrow file, or damaged: {reason}", code="source_damaged") from error


def _read_batches(file: pa.MemoryMappedFile) -> Iterator[tuple[pa.Schema, pa.RecordBatch]]:
    if file.read(6) == b"ARROW1":
        file.seek(0)
        table = pa.ipc.open_file(file)
        yield from ((table.schema, table.get_batch(number)) for number in range(table.num_record_batches))
        return
    file.seek(0)
    stream = pa.ipc.open_stream(file)
    yield from ((stream.schema, batch) for batch in stream)


def _has_arrow(path: Path) -> bool:
    if not path.is_dir():
        return path.suffix in ENDINGS
    return (path / SPLITS).is_file() or any(path.glob("*.arrow"))


KIND = SourceKind(Arrow.kind, Arrow, _has_arrow, endings=ENDINGS)
