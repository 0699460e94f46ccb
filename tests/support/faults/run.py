"""The driver started with the library that makes its calls fail, and its figures read."""

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tests.support.faults.disk import preload_environment
from tests.support.paths import ROOT


def inject_faults(
    operations: Iterable[str],
    folder: Path,
    library: Path,
    *,
    kinds: tuple[str, ...] = ("disk", "database"),
    cluster: str | None = None,
    sample: int | None = None,
) -> Iterator[dict[str, Any]]:
    """Try the points of operations.

    Args:
        operations: of `operations.OPERATIONS`.
        folder: an empty one, for homes.
        library: what `disk.build_library` made.
        kinds: of calls.
        cluster: URL of a PostgreSQL cluster's maintenance database; None for SQLite.
        sample: how many points of each operation, evenly spread; None for all.

    Yields:
        Of each operation: numbers of points, calls and endings, and each fault with its point.
    """
    command = [sys.executable, "-m", "tests.support.faults.driver", "--folder", str(folder)]
    command += [f"--operation={operation}" for operation in operations]
    command += [f"--kind={kind}" for kind in kinds]
    command += [f"--cluster={cluster}"] if cluster else []
    command += [f"--sample={sample}"] if sample else []
    environment = preload_environment(library) | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE) as process:
        for line in process.stdout or ():
            yield json.loads(line)
    if process.returncode:
        raise RuntimeError(f"the driver ended with {process.returncode}")
