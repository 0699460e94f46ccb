"""Ingest killed with SIGKILL a few times on either database; `tests.campaigns.kills` does the same a hundred times."""

from pathlib import Path

from tests.campaigns.bulk_kills import run_bulk_kills
from tests.campaigns.rest_kills import run_rest_kills
from tests.support.store_checks import Tally

KILLS = 3
# More than one batch.
ROWS = 1200


def test_killed_bulk_runs_lose_and_double_nothing(tmp_path: Path, database_url: str) -> None:
    tally = run_bulk_kills(tmp_path, database_url, KILLS, seed=5, rows=ROWS)
    expect_no_fault(tally)
    assert tally.acknowledged == tally.items


def test_a_killed_server_loses_and_doubles_nothing(tmp_path: Path, database_url: str) -> None:
    tally = run_rest_kills(tmp_path, database_url, KILLS, seed=5)
    expect_no_fault(tally)
    assert tally.acknowledged == tally.items > 0


def expect_no_fault(tally: Tally) -> None:
    assert (tally.kills, tally.faults) == (KILLS, 0), tally
    assert tally.kills_of_parent_only > 0
