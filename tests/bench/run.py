"""`make bench`: run every benchmark beside this file, one after the other, and keep the figures in docs/results/.

Each `bench_*.py` prints one JSON object on its last line. Only ratios within one run are comparable: the machine is stated,
not controlled.
"""

import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RESULTS = HERE.parents[1] / "docs" / "results" / "bench.json"


# Takes an hour on a busy machine: a million rows. Run by its name alone.
LONG = {"jsonl"}


def describe_machine() -> dict[str, Any]:
    """Say what the figures were measured on."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    packages = {name: version(name) for name in ("torch", "numpy", "numba", "scikit-image")}
    return {"processor": model, "cores": os.cpu_count(), "python": platform.python_version(), "packages": packages}


def run_one(script: Path) -> dict[str, Any]:
    """Run one benchmark and read its last line."""
    # A watcher of its own for each script: ru_maxrss of children is that of the largest a process ever waited for.
    watcher = (
        "import json, resource, subprocess, sys; code = subprocess.call([sys.executable, *sys.argv[1:]]); "
        "peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss; print(json.dumps(peak)); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", watcher, str(script)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{script.name} failed:\n{done.stderr}")
    *_, line, peak_kib = done.stdout.strip().splitlines()
    figures: dict[str, Any] = {**json.loads(line), "peak_rss_mib": round(int(peak_kib) / 1024)}
    return figures


def main() -> None:
    """Run what is named on the command line, or everything but the long ones; figures of what is not run are kept."""
    wanted = sys.argv[1:]
    kept = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    for script in sorted(HERE.glob("bench_*.py")):
        name = script.stem.removeprefix("bench_")
        if name not in wanted if wanted else name in LONG:
            continue
        figures = run_one(script)
        kept[name] = {"measured": datetime.now(UTC).date().isoformat(), "machine": describe_machine(), "figures": figures}
        sys.stdout.write(f"{name}: {json.dumps(figures)}\n")
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
