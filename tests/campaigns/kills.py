"""Sleeve killed with SIGKILL during ingest and checks, many times: nothing acknowledged is lost, nothing is there twice.

    for d in sqlite postgresql; do for w in bulk rest gate; do
        python -m tests.campaigns.kills --database $d --way $w; done; done

Rules, in order:

1. `bulk` kills `sleeve ingest add`, `rest` kills `sleeve serve` under clients that register, `gate` a server under clients
   that check. PostgreSQL itself is not killed.
2. All choices come from the seed, which is printed; what a moment hits is the machine's choice.
3. The figures go to `docs/results/kills.json` after each check, with how many kills it was.
   A fault, or a restart of 10 s or more, is exit status 1.
"""

import argparse
import json
import random
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.campaigns.bulk_kills import run_bulk_kills
from tests.campaigns.databases import KINDS, open_database
from tests.campaigns.gate_kills import GateTally, run_gate_kills
from tests.campaigns.rest_kills import run_rest_kills
from tests.campaigns.results import save_figures
from tests.support.store_checks import RESTART_SECONDS, Tally

WAYS: dict[str, tuple[Any, Any]] = {
    "bulk": (run_bulk_kills, Tally),
    "rest": (run_rest_kills, Tally),
    "gate": (run_gate_kills, GateTally),
}


def main() -> None:
    """Run one campaign and keep its figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", choices=KINDS, required=True)
    parser.add_argument("--way", choices=WAYS, required=True)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("--folder", type=Path, help="where the state is made; a temporary folder by default")
    parser.add_argument("--keep", action="store_true", help="leave the state there")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="sleeve-kills-", dir=options.folder))
    print(f"seed {options.seed}, state in {folder}", flush=True)  # noqa: T201

    def keep(tally: Tally | GateTally) -> None:
        figures = {"seed": options.seed, **tally.figures()}
        save_figures("kills", f"{options.database} {options.way}", figures)
        print(json.dumps(figures), flush=True)  # noqa: T201

    with open_database(options.database, folder) as url:
        run, counts = WAYS[options.way]
        tally = run(folder, url, options.kills, options.seed, counts(on_check=keep))
    if not options.keep:
        shutil.rmtree(folder)
    if tally.faults or max(tally.restart_seconds) >= RESTART_SECONDS:
        sys.exit(1)


if __name__ == "__main__":
    main()
