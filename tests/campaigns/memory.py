"""Memory of `sleeve ingest add` over many small images: it must not grow with them.

    python -m tests.campaigns.memory

Rules, in order:

1. 50,000 pictures of 16 × 16 px in one WebDataset tar, registered by the command as a user runs it, into SQLite.
2. Every half second the resident memory of the command and of each process that it started is read, proportional for what
   they share (`Pss` of `/proc/PID/smaps_rollup`), and added up.
3. Kept are the peaks of each fifth of the time. Flat means: the last fifth's peak is at most a tenth above the second's, since
   the first one still has imports and caches to fill.
4. The figures go to `docs/results/memory.json`; growth is exit status 1.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.campaigns.bulk_kills import build_source
from tests.campaigns.processes import members, output_of, start
from tests.campaigns.results import save_figures

IMAGES = 50_000
EVERY_SECONDS = 0.5
MOST_GROWTH = 1.1


def resident_bytes(pid: int) -> int:
    """Proportional resident memory of a process; 0 where it is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


def watch(process: subprocess.Popen[bytes]) -> list[int]:
    """Sample the memory of a session until its leader ends."""
    samples = []
    while process.poll() is None:
        samples.append(sum(map(resident_bytes, members(process.pid))))
        time.sleep(EVERY_SECONDS)
    return samples


def run_memory(folder: Path, images: int) -> dict[str, Any]:
    """Register so many images and return the peaks of each fifth of the time, in MiB."""
    source, home = build_source(folder, 0, images), folder / "home"
    begun = time.monotonic()
    process = start(["ingest", "add", str(source), "--acquirer", "Ada"], home, f"sqlite:///{folder / 'sleeve.db'}")
    samples = watch(process)
    if process.returncode != 0:
        raise RuntimeError(output_of(home))
    fifth = len(samples) // 5
    peaks = [max(samples[fifth * part : fifth * (part + 1)]) >> 20 for part in range(5)]
    return {"images": images, "seconds": round(time.monotonic() - begun, 1), "peak_mib_by_fifth": peaks}


def main() -> None:
    """Run and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=IMAGES)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        figures = run_memory(Path(name), options.images)
    save_figures("memory", "ingest add", figures)
    print(json.dumps(figures))  # noqa: T201
    if figures["peak_mib_by_fifth"][4] > MOST_GROWTH * figures["peak_mib_by_fifth"][1]:
        sys.exit(1)


if __name__ == "__main__":
    main()
