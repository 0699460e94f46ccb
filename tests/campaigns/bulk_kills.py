"""`sleeve ingest add` killed again and again, until every row of every source is registered.

Rules, in order:

1. A source is a WebDataset tar of small pictures, each tenth of them the copy of another under a key of its own.
2. A run is killed a random time after it took hold of its data set, or after it told of its next batch, by the toss of a
   coin; the next one goes on where it stopped. A source that is done before its time is followed by the next one.
3. Acknowledged is what the status file says when the process is dead: whole lines with the state registered or known.
4. Every second kill is of the parent only: what it started must end by itself. After every second kill the store is checked;
   after the others the next run alone has to repair what was left.
"""

import json
import random
import subprocess
import time
from pathlib import Path

from shared.workspace import open_workspace
from tests.campaigns.databases import wait_until_left
from tests.campaigns.processes import START_SECONDS, holds_open, kill, output_of, start
from tests.support.factories import png
from tests.support.store_checks import Store, Tally, issue_receipts
from tests.unit.services.ingest.small_sources import sample, write_tar

SIDE_PX = 16
# On an idle machine a batch is stored in about half of this.
WORK_SECONDS = 1.0


def build_source(folder: Path, number: int, rows: int) -> Path:
    """Write the tar of one round; no picture of it is in another round's."""
    members = []
    for row in range(rows):
        seed = number * rows + row
        image, columns = sample(f"{row:06d}", seed)
        drawn = png(seed - 1 if row % 10 == 9 else seed, SIDE_PX)
        members += [(image[0], drawn), columns]
    return write_tar(folder / f"round-{number}.tar", members)


def run_bulk_kills(
    folder: Path, database_url: str, kills: int, seed: int, tally: Tally | None = None, rows: int = 4000
) -> Tally:
    """Kill bulk runs this many times, let the last one finish, and return what was found."""
    chance, tally, number = random.Random(seed), tally or Tally(), 0
    home = folder / "home"
    store = Store(home, database_url)
    while tally.kills < kills:
        _run_round(store, build_source(folder, number, rows), rows, tally, kills, chance)
        _expect_all_rows(store, f"round-{number}", rows)
        number += 1
    wait_until_left(database_url)
    workspace = open_workspace(store.settings)
    issue_receipts(workspace, store)
    workspace.engine.dispose()
    store.check(tally, last=True)
    return tally


def _run_round(store: Store, source: Path, rows: int, tally: Tally, kills: int, chance: random.Random) -> None:
    """Run one source to its end, killing it on the way as often as kills are left."""
    home, url = store.settings.home, store.settings.resolved_database_url
    status = home / "ingest" / f"{source.stem}.status.jsonl"
    while True:
        begun = time.monotonic()
        process = start(["ingest", "add", str(source), "--acquirer", "Ada"], home, url)
        _wait_for_hold(process, status, home)
        tally.restart_seconds.append(time.monotonic() - begun)
        if _finishes(process, status, chance if tally.kills < kills else None):
            if process.returncode != 0:
                raise RuntimeError(f"a run ended with {process.returncode}: {output_of(home)}")
            _acknowledge(store, source.stem, status)
            return
        parent_only = tally.kills % 2 == 1
        tally.orphans += kill(process, group=not parent_only)
        tally.kills += 1
        tally.kills_of_parent_only += parent_only
        _acknowledge(store, source.stem, status)
        wait_until_left(url)
        if tally.kills % 4 in {1, 2}:
            store.check(tally)
        if _count(store, source.stem) == rows:
            return  # killed after the last row: another run would only find that all is known


def _wait_for_hold(process: subprocess.Popen[bytes], status: Path, home: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not holds_open(process, status):
        if process.poll() is not None:
            if process.returncode == 0:
                return
            raise RuntimeError(f"a run ended with {process.returncode}: {output_of(home)}")
        if time.monotonic() > deadline:
            raise RuntimeError(f"a run did not begin within {START_SECONDS} s: {output_of(home)}")
        time.sleep(0.005)


def _finishes(process: subprocess.Popen[bytes], status: Path, chance: random.Random | None) -> bool:
    """Wait for the moment of a kill, where there is to be one; say whether the run is over before it."""
    if chance is None:
        process.wait()
        return True
    if chance.random() < 0.5:
        length = status.stat().st_size
        while status.stat().st_size <= length and process.poll() is None:
            time.sleep(0.002)
    try:
        process.wait(chance.uniform(0, WORK_SECONDS))
    except subprocess.TimeoutExpired:
        return False
    return True


def _acknowledge(store: Store, dataset: str, status: Path) -> None:
    # A line that a kill cut short says nothing.
    for line in status.read_bytes().split(b"\n")[:-1]:
        progress = json.loads(line)
        if progress["state"] == "refused":
            raise RuntimeError(f"a good row was refused: {progress}")
        key = (dataset, progress["row"])
        if store.acknowledged.setdefault(key, progress["item"]) != progress["item"]:
            raise RuntimeError(f"{key} was acknowledged as two items")


def _expect_all_rows(store: Store, dataset: str, rows: int) -> None:
    if (got := _count(store, dataset)) != rows:
        raise RuntimeError(f"{dataset}: expected {rows} rows acknowledged after the last run, got {got}")


def _count(store: Store, dataset: str) -> int:
    return sum(name == dataset for name, _ in store.acknowledged)
