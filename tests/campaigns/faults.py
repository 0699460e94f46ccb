"""Every file-system and database call of an append, a registration, a key and a check disturbed once.

    python -m tests.campaigns.faults                # on SQLite and PostgreSQL
    python -m tests.campaigns.faults --database sqlite --operation check

Rules, in order:

1. Each call of the file system fails with EIO and ENOSPC, and the process is killed at it. Reads fail with EIO alone.
2. Each call of the database fails before and after it was carried out, and the process is killed at it.
3. A process that lives on must serve the same request; a fresh one must find everything that was acknowledged, once, and a
   log that verifies (`tests.support.faults.operations`).
4. The figures go to `docs/results/faults.json`, with how many points there are and how many were tried. A fault is exit
   status 1.
"""

import argparse
import json
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.campaigns.databases import KINDS
from tests.campaigns.results import save_figures
from tests.support.faults.disk import build_library, find_compiler
from tests.support.faults.operations import OPERATIONS
from tests.support.faults.run import inject_faults
from tests.support.postgres import find_postgres, running_cluster


def main() -> None:
    """Try every point and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", choices=KINDS, action="append")
    parser.add_argument("--operation", choices=OPERATIONS, action="append")
    parser.add_argument("--sample", type=int, help="so many points of each operation, evenly spread")
    options = parser.parse_args()
    compiler, binaries = find_compiler(), find_postgres()
    if compiler is None:
        sys.exit("no C compiler (cc) is installed")
    is_faulty = False
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sleeve-faults-")))
        library = build_library(folder, compiler)
        for database in options.database or KINDS:
            cluster = None
            if database == "postgresql":
                if binaries is None:
                    sys.exit("PostgreSQL's binaries (initdb, pg_ctl) are not installed")
                cluster = stack.enter_context(running_cluster(binaries))
            operations = options.operation or OPERATIONS
            for figures in inject_faults(operations, folder / database, library, cluster=cluster, sample=options.sample):
                is_faulty |= bool(figures["faults"])
                print(database, json.dumps(figures, indent=2), flush=True)  # noqa: T201
                save_figures("faults", f"{database} {figures['operation']}", figures)
    sys.exit(is_faulty)


if __name__ == "__main__":
    main()
