"""Schemathesis with many requests over every operation of the running application.

Run as `python -m tests.campaigns.fuzz [--examples 200] [--seed 1]`; writes docs/results/fuzz.json.
What is asked and what counts as a fault: tests/support/fuzzing.py. A fault ends it with status 1, and the requests that show
it are printed.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

from tests.campaigns.results import save_figures
from tests.e2e.conftest import build_audited
from tests.support.fuzzing import Fuzzed, Served, fuzz, serving

PHASES = "examples,coverage,fuzzing,stateful"
TIMEOUT_SECONDS = 6 * 3600.0


def build_figures(done: Fuzzed, served: Served, examples: int, seed: int, seconds: float) -> dict[str, Any]:
    """Spell a run: what was asked for, what the application answered, and what Schemathesis counted."""
    settings = {"examples_an_operation": examples, "seed": seed, "phases": PHASES.split(","), "seconds": round(seconds)}
    answered = {"requests": served.answers.total(), "answers": dict(sorted(served.answers.items()))}
    return settings | {"succeeded": done.succeeded} | answered | done.counts()


def main() -> None:
    """Build a small audited workspace, serve it, send requests, and write what was found."""
    parser = argparse.ArgumentParser(description="Fuzz the running application.")
    parser.add_argument("--examples", type=int, default=200, help="random requests an operation")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        home = build_audited(folder).home
        begun = perf_counter()
        with serving(home) as served:
            done = fuzz(
                served.url,
                folder,
                examples=options.examples,
                phases=PHASES,
                seed=options.seed,
                timeout_seconds=TIMEOUT_SECONDS,
            )
    save_figures("fuzz", "schemathesis", build_figures(done, served, options.examples, options.seed, perf_counter() - begun))
    sys.stdout.write(done.output)
    sys.exit(0 if done.succeeded else 1)


if __name__ == "__main__":
    main()
