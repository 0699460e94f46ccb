"""The metadata files of a folder or archive of images: `metadata.jsonl`, `metadata.csv` or `metadata.parquet`, a row an image.

Rules, in order:

1. A row is its columns, or what is wrong with it. One that cannot be read spoils no other.
2. A file's text is read in its own encoding (`text_encoding`). JSON is UTF-8 or UTF-16: a line with other bytes is refused.

Source: https://huggingface.co/docs/datasets/image_dataset#imagefolder
"""

import io
import json
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from services.ingest.sources.class_labels import find_labels, name_labels
from services.ingest.sources.csv_files import CsvRow, read_csv_file
from services.ingest.sources.file_trees import FileTree
from services.ingest.sources.parquet_batches import read_batches
from services.ingest.sources.text_encoding import STRAY_BYTE, open_text
from shared.errors import InputError

METADATA_NAMES = ("metadata.jsonl", "metadata.csv", "metadata.parquet")
# Rows decoded at once.
_BATCH_ROWS = 1024


def read_metadata(tree: FileTree, name: str) -> Iterator[CsvRow]:
    """Yield the rows of one metadata file.

    Raises:
        InputError: the file cannot be read.
    """
    with tree.open(name) as file:
        if name.endswith(".csv"):
            yield from read_csv_file(file)
        elif name.endswith(".parquet"):
            yield from _read_parquet(name, file)
        else:
            with open_text(file) as text:
                for number, line in enumerate(text, start=1):
                    if line.strip():
                        yield CsvRow(number, parse_line(line))


def parse_line(line: str | bytes) -> Mapping[str, Any] | InputError:
    """Read a row of JSON; return what is wrong with it where it is none."""
    if isinstance(line, str) and STRAY_BYTE.search(line):
        return InputError("row is not UTF-8; save the file as UTF-8", code="row_invalid")
    try:
        columns = json.loads(line)
    except (ValueError, RecursionError) as error:
        return InputError(f"row is no JSON: {error}", code="row_invalid")
    if not isinstance(columns, dict):
        return InputError(f"expected a JSON object a row, got {type(columns).__name__}", code="row_invalid")
    return columns


def _read_parquet(name: str, file: BinaryIO) -> Iterator[CsvRow]:
    try:
        content = io.BytesIO(file.read())
        with pq.ParquetFile(content) as table:
            labels = find_labels(table.schema_arrow)
            number = 0
            for batch in read_batches(table, content, range(table.num_row_groups), _BATCH_ROWS):
                for columns in batch.to_pylist():
                    number += 1
                    yield CsvRow(number, name_labels(columns, labels))
    except (OSError, ValueError, pa.ArrowException) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{name} is no Parquet file, or damaged: {reason}", code="source_damaged") from error
