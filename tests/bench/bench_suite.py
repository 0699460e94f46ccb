"""Speed of the suite on one pair as a multiple of image-similarity-measures 0.3.6; run as `python tests/bench/bench_suite.py`.

Rules, in order:

1. The package lives in a virtual environment of its own, `.bench-venvs/` at the top of the project, made on the first run.
2. Pairs of 64 × 64 × 3 px are measured in turns, one by the package (every metric it offers, in a process of its own), then
   the same one by the suite. The median pair of each side counts; the multiple is one median over the other.
3. Prints one JSON line: milliseconds a pair, the package's by metric, and the multiple.
"""

import json
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from shared.vision.similarity.metrics import compare_arrays
from tests.bench.bench_ssim import cut_pictures

ROOT = Path(__file__).parents[2]
PACKAGE = "image-similarity-measures==0.3.6"
PLACE = ROOT / ".bench-venvs" / "image-similarity-measures-0.3.6"
PAIRS = 12


def open_package() -> Path:
    """Make the package's environment where it is missing; return its interpreter."""
    python = PLACE / "bin" / "python"
    done = PLACE / "installed"
    if not done.exists():
        venv.create(PLACE, clear=True, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", PACKAGE], check=True)
        done.touch()
    return python


def main() -> None:
    """Measure and print."""
    x, y = (np.ascontiguousarray(cut_pictures(PAIRS + 1, seed).transpose(0, 2, 3, 1)) for seed in (1, 2))
    cited: list[dict[str, float]] = []
    ours: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder) / "pairs.npz", x=x, y=y)
        command = [open_package(), Path(__file__).with_name("cited_package.py"), Path(folder) / "pairs.npz"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as package:
            if package.stdin is None or package.stdout is None:
                sys.exit("expected pipes to the package's process, got none")
            for i in range(PAIRS + 1):
                package.stdin.write(f"{i}\n")
                package.stdin.flush()
                cited.append(json.loads(package.stdout.readline()))
                # The process of the package is idle now; one warm call of either side is dropped below.
                start = perf_counter()
                compare_arrays(x[i], y[i])
                ours.append(perf_counter() - start)
            package.stdin.close()
    by_metric = {name: median(pair[name] for pair in cited[1:]) for name in cited[0]}
    whole = median(sum(pair.values()) for pair in cited[1:])
    result = {
        "package_ms_a_pair": round(1000 * whole, 1),
        "package_ms_by_metric": {name: round(1000 * seconds, 2) for name, seconds in by_metric.items()},
        "suite_ms_a_pair": round(1000 * median(ours[1:]), 2),
        "multiple": round(whole / median(ours[1:]), 1),
        "multiple_without_issm": round((whole - by_metric.get("issm", 0.0)) / median(ours[1:]), 1),
    }
    print(json.dumps(result))  # noqa: T201


if __name__ == "__main__":
    main()
