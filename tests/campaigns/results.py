"""Measured figures into `docs/results`, with their date and machine."""

import fcntl
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from shared.files import save_atomically
from tests.bench.run import describe_machine
from tests.support.paths import RESULTS


def save_figures(name: str, key: str, figures: dict[str, Any]) -> None:
    """Put figures under a key of `<name>.json`; what stands under other keys stays."""
    path = RESULTS / f"{name}.json"
    # Two campaigns may end at the same moment.
    with (Path(__file__).parent / "results.py").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        figures_by_key = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        # How many processes wanted the cores in the last quarter of an hour: seconds are to be read beside it.
        machine = describe_machine() | {"load_average": round(os.getloadavg()[2], 1)}
        measured = datetime.now(UTC).isoformat(timespec="minutes")
        figures_by_key[key] = {"measured": measured, "machine": machine, "figures": figures}
        save_atomically(path, (json.dumps(dict(sorted(figures_by_key.items())), indent=2) + "\n").encode())
