"""The four real sets by four commands, killed three times in between: in the end every row is there once.

    for d in sqlite postgresql; do python -m tests.campaigns.four_sets --database $d; done

Rules, in order:

1. The commands are `sleeve ingest add PATH --acquirer Ada`, one a set, in order, and nothing else is configured.
2. At three random moments the command at work is killed with everything that it started; then the four run again, from the
   first. Which commands are hit, and when, comes from the seed.
3. Counted in the end: items and creators of each set, blobs and log as after any kill (`checking`).
4. The figures go to `docs/results/four-sets.json`. A count that is off is exit status 1.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from sqlmodel import col, distinct, func, select

from services.ingest.sources.registry import default_name
from shared.records.items import Item, ItemOwner
from shared.records.parties import Party
from shared.workspace import open_workspace
from tests.campaigns.databases import KINDS, open_database, wait_until_left
from tests.campaigns.processes import kill, output_of, start
from tests.campaigns.results import save_figures
from tests.e2e.ingest.test_real_sets import SETS
from tests.support.paths import SHARED
from tests.support.store_checks import Store, Tally

KILLS = 3
# The longest a command is left alone before it is killed; on an idle machine a set takes 3 to 10 s.
MOST_SECONDS = 8.0


def run_commands(store: Store, data: Path, kill_after: dict[int, float], tally: Tally) -> dict[str, float]:
    """Run the commands in order, killing some; stop at the first kill, as a user whose machine died.

    Args:
        store: where to.
        data: folder of the sets.
        kill_after: seconds after which the command with this place is killed.
        tally: gets kills and orphans.

    Returns:
        Seconds that each command took which ended by itself.
    """
    home, url = store.settings.home, store.settings.resolved_database_url
    seconds: dict[str, Any] = {}
    for place, name in enumerate(SETS):
        begun = time.monotonic()
        process = start(["ingest", "add", str(data / name), "--acquirer", "Ada"], home, url)
        try:
            process.wait(kill_after.get(place))
        except subprocess.TimeoutExpired:
            tally.orphans += kill(process, group=True)
            tally.kills += 1
            wait_until_left(url)
            return seconds
        if process.returncode != 0:
            raise RuntimeError(f"{name}: {output_of(home)}")
        seconds[name] = round(time.monotonic() - begun, 2)
    return seconds


def count_sets(store: Store) -> dict[str, dict[str, int]]:
    """Items, and distinct names in the role of creator, by data set."""
    workspace = open_workspace(store.settings)
    counts = select(Item.dataset, func.count(distinct(col(Item.id))), func.count(distinct(col(Party.name))))
    joined = counts.join(ItemOwner, col(ItemOwner.item_id) == col(Item.id)).join(
        Party, col(Party.id) == col(ItemOwner.party_id)
    )
    with workspace.reading() as session:
        rows = session.exec(joined.where(ItemOwner.role == "creator").group_by(Item.dataset)).all()
    workspace.engine.dispose()
    return {dataset: {"items": items, "creators": creators} for dataset, items, creators in rows}


def run_four_sets(folder: Path, database_url: str, data: Path, seed: int) -> dict[str, Any]:
    """Kill three times, run to the end, count; on SQLite also run once without a kill, for the time that it takes."""
    chance, tally, store = random.Random(seed), Tally(restart_seconds=[0.0]), Store(folder / "home", database_url)
    while tally.kills < KILLS:
        place = chance.randrange(len(SETS))
        run_commands(store, data, {place: chance.uniform(0.5, MOST_SECONDS)}, tally)
    last = run_commands(store, data, {}, tally)
    store.acknowledged = read_status_files(store.settings.home)
    store.check(tally, last=True)
    doubled_lines = [name for name, count in Counter(name for name, _ in store.acknowledged).items() if count != rows_of(name)]
    unkilled = None
    if database_url.startswith("sqlite"):
        unkilled = run_commands(Store(folder / "fresh", f"sqlite:///{folder / 'fresh.db'}"), data, {}, tally)
    return {
        "seed": seed,
        "kills": tally.kills,
        "sets": count_sets(store),
        "expected": {name.partition(".")[0]: {"items": n, "creators": creators} for name, (n, creators) in SETS.items()},
        "log_size": tally.log_size,
        "faults": tally.faults + len(doubled_lines),
        "seconds_of_last_run": last,
        "seconds_without_a_kill": unkilled,
    }


def rows_of(dataset: str) -> int:
    """How many rows a data set has."""
    return next(rows for name, (rows, _) in SETS.items() if default_name(Path(name)) == dataset)


def read_status_files(home: Path) -> dict[tuple[str, str], str]:
    """The items that the status files call registered or known, by data set and row."""
    acknowledged = {}
    for path in (home / "ingest").glob("*.status.jsonl"):
        for line in path.read_text(encoding="utf-8").splitlines():
            progress = json.loads(line)
            if progress["state"] != "refused":
                acknowledged[path.name.removesuffix(".status.jsonl"), progress["row"]] = progress["item"]
    return acknowledged


def main() -> None:
    """Run the campaign, print a table and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", choices=KINDS, required=True)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    options = parser.parse_args()
    data = SHARED / "data"
    if not data.is_dir():
        sys.exit(f"the real data sets are not at {data} (set SLEEVE_SHARED)")
    with tempfile.TemporaryDirectory() as name, open_database(options.database, Path(name)) as url:
        figures = run_four_sets(Path(name), url, data.resolve(), options.seed)
    save_figures("four-sets", options.database, figures)
    for name, expected in figures["expected"].items():
        print(f"{name:12} expected {expected}  got {figures['sets'].get(name)}")  # noqa: T201
    print(json.dumps(figures))  # noqa: T201
    if figures["faults"] or figures["sets"] != figures["expected"]:
        sys.exit(1)


if __name__ == "__main__":
    main()
