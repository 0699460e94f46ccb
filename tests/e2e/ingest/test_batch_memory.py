"""A long stream of registrations: the server's memory does not grow with the rows."""

from pathlib import Path

from tests.bench.bench_jsonl import measure

ROWS = 20_000
# Between the first twentieth of the rows and the last: a row that stayed behind with its kilobyte would make 19 MB of it.
MOST_GROWTH_MIB = 10


def test_memory_stays_flat_over_twenty_thousand_rows(tmp_path: Path) -> None:
    found = measure(tmp_path / "home", ROWS)
    assert found["rows"] == ROWS
    sizes = found["rss_mib"]
    assert max(sizes[1:]) - sizes[1] <= MOST_GROWTH_MIB, sizes
