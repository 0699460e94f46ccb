"""Parquet that is small in the file and huge decoded: read in little memory, or refused by name."""

import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from services.ingest.sources.kinds.parquet import open_parquet, read_rows
from services.ingest.sources.parquet_batches import BATCH_BYTES, read_batches
from shared.errors import InputError
from tests.support.factories import png

# The value that every row refers to.
LARGE = bytes(72 * 2**20)


def repeated(value: bytes, count: int) -> pa.Array:
    """An array that says a value once."""
    return pa.DictionaryArray.from_arrays(pa.array([0] * count, pa.int32()), pa.array([value]))


def write(path: Path, **columns: pa.Array) -> Path:
    """Write a table whose schema says nothing of dictionaries, as a stranger would."""
    table = pa.table(columns)
    pq.write_table(table, path, compression="zstd", dictionary_pagesize_limit=2**30, store_schema=False)
    return path


PEAK = """
import sys
from pathlib import Path
from services.ingest.sources.kinds.parquet import open_parquet, read_rows
from shared.errors import InputError
path = Path(sys.argv[1])
try:
    with open_parquet(path) as file:
        for _ in read_rows(file, path):
            pass
except InputError as error:
    print(error.code)
# Of this program alone (proc(5)): ru_maxrss would be at least that of the process which started it.
print(int(Path('/proc/self/status').read_text().partition('VmHWM:')[2].split()[0]) * 1024)
"""


@pytest.mark.parametrize("size", [2 * 2**20, len(LARGE)])
def test_a_value_that_every_row_refers_to_takes_little_memory(tmp_path: Path, size: int) -> None:
    path = write(tmp_path / "rows.parquet", image=repeated(LARGE[:size], 640))
    assert path.stat().st_size < 2**20
    done = subprocess.run(
        [sys.executable, "-c", PEAK, str(path)], capture_output=True, text=True, check=True, env={**os.environ}
    )
    assert int(done.stdout.split()[-1]) < 2**30, done.stdout


def test_a_column_that_expands_beyond_all_measure_is_refused_by_name(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.parquet", image=pa.array([LARGE, LARGE[1:]]))
    with open_parquet(path) as file, pytest.raises(InputError, match="column image") as caught:
        list(read_rows(file, path))
    assert caught.value.code == "source_expands"


def test_a_list_that_refers_to_a_large_value_often_is_refused_by_name(tmp_path: Path) -> None:
    tags = pa.ListArray.from_arrays(pa.array([0, 64], pa.int32()), repeated(LARGE[: 8 * 2**20], 64))
    path = write(tmp_path / "rows.parquet", jpg=pa.array([png(1)]), tags=tags)
    with open_parquet(path) as file, pytest.raises(InputError, match="a row takes 5") as caught:
        list(read_rows(file, path))
    assert caught.value.code == "source_expands"


def test_plain_files_read_as_before_and_lists_keep_their_words(tmp_path: Path) -> None:
    words = [[f"word {at % 7}", "x" * 200_000] for at in range(300)]
    path = write(tmp_path / "rows.parquet", jpg=pa.array([png(at % 5) for at in range(300)]), tags=pa.array(words))
    with open_parquet(path) as file:
        rows = list(read_rows(file, path, skip=100))
        assert [number for number, _ in rows] == list(range(100, 300))
        assert rows[5][1] == {"jpg": png(0), "tags": words[105]}
        assert all(batch.nbytes <= BATCH_BYTES for batch in read_batches(file, path, [0], 64))
