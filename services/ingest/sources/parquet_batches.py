"""Batches of a Parquet file's rows, of bounded size once they are decoded.

A dictionary says a value once, and rows refer to it: 64 rows of one picture of 72 MB are 3 kB in the file and 4.6 GB decoded.
Compressed pages of one byte repeated expand as much.

Rules, in order:

1. Row groups are read one after the other. Of a row, a column takes at most what the whole column takes decoded, so as many
   rows are read at once as fit into the budget by that measure; one at least.
2. A column that alone exceeds the budget and is far smaller in the file is refused. Pictures hardly compress.
3. In a list, one row may refer to a value any number of times. Where that could exceed the budget, the values stay apart from
   the references until their size is known.

Source: Apache Parquet format, "Encodings" (dictionary, RLE) and `ColumnMetaData`.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from shared.errors import InputError

# Our own bounds. The largest image accepted by default is 20 MiB; a batch of them stays within a few hundred megabytes.
BATCH_BYTES = 128 * 2**20
MAX_EXPANSION = 50


def read_batches(
    file: pq.ParquetFile, source: Path | BinaryIO, groups: Sequence[int], max_rows: int, columns: Sequence[str] | None = None
) -> Iterator[pa.RecordBatch]:
    """Read row groups in batches of bounded size.

    Args:
        file: the open file.
        source: where it lies, or its bytes.
        groups: which row groups, in order.
        max_rows: of a batch, at most.
        columns: only these.

    Raises:
        InputError: rows of it take too much memory.
        OSError, ValueError, pa.ArrowException: it is damaged.
    """
    for group in groups:
        metadata = file.metadata.row_group(group)
        chunks = [metadata.column(at) for at in range(metadata.num_columns)]
        chunks = [chunk for chunk in chunks if columns is None or _is_in(chunk.path_in_schema, columns)]
        _refuse_expanding(chunks, group)
        rows = min(max(BATCH_BYTES // max(sum(chunk.total_uncompressed_size for chunk in chunks), 1), 1), max_rows)
        lists = [chunk.path_in_schema for chunk in chunks if _may_repeat(chunk, metadata.num_rows)]
        # A file of its own where lists are to keep their dictionaries: that is said when it is opened.
        reader = pq.ParquetFile(source, memory_map=True, pre_buffer=False, read_dictionary=lists) if lists else file
        for batch in reader.iter_batches(rows, row_groups=[group], columns=columns, use_threads=False):
            if lists:
                _refuse_large_rows(batch, group)
            yield batch


def _is_in(path_in_schema: str, columns: Sequence[str]) -> bool:
    return any(path_in_schema == column or path_in_schema.startswith(f"{column}.") for column in columns)


def _refuse_expanding(chunks: Sequence[pq.ColumnChunkMetaData], group: int) -> None:
    for chunk in chunks:
        decoded, encoded = chunk.total_uncompressed_size, chunk.total_compressed_size
        if decoded > BATCH_BYTES and decoded > MAX_EXPANSION * encoded:
            raise _too_large(group, f"column {chunk.path_in_schema}, {encoded:,} bytes in the file,", decoded)


def _may_repeat(chunk: pq.ColumnChunkMetaData, rows: int) -> bool:
    """Say whether the values of a list, as often as its rows could refer to them, exceed the budget."""
    is_dictionary = any("DICTIONARY" in encoding for encoding in chunk.encodings)
    return bool(is_dictionary and chunk.num_values > rows and chunk.num_values * chunk.total_uncompressed_size > BATCH_BYTES)


def _refuse_large_rows(batch: pa.RecordBatch, group: int) -> None:
    for at in range(batch.num_rows):
        decoded = sum(_measure(column) for column in batch.slice(at, 1).columns)
        if decoded > BATCH_BYTES:
            raise _too_large(group, "a row", decoded)


def _measure(array: pa.Array) -> int:
    """Return how many bytes the values of an array take, each as often as it is referred to."""
    if pa.types.is_dictionary(array.type):
        lengths = pc.binary_length(array.dictionary)
        return int(pc.sum(pc.take(lengths, array.indices)).as_py() or 0)
    if pa.types.is_list(array.type) or pa.types.is_large_list(array.type):
        return _measure(array.flatten())
    if pa.types.is_struct(array.type):
        return sum(_measure(field) for field in array.flatten())
    return int(array.nbytes)


def _too_large(group: int, what: str, decoded: int) -> InputError:
    return InputError(
        f"Parquet row group {group}: {what} takes {decoded:,} bytes decoded, expected at most {BATCH_BYTES:,}",
        code="source_expands",
    )
