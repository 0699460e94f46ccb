"""A server under a steady load: memory, files and threads stay level, and no job is left behind.

    for d in sqlite postgresql; do python -m tests.campaigns.soak --database $d; done

Rules, in order:

1. Clients ask at a fixed pace as `tests.campaigns.gate_kills` does: one picture, several, several by a job; and now and then
   for lists, searches, completeness and metrics. What takes longer than its turn is late, and is counted; nothing is left out.
2. Memory is what the process holds for itself (`RssAnon`) and with mapped files (`VmRSS`, proc(5)). The first fifth of the
   time warms up. Drift is the slope of a line through what is measured afterwards, over its whole length, against its mean.
   Threads and open files come and go with requests: they leak where even the fewest of the last tenth are more than the most
   of the first.
3. In the end the log verifies, completeness finds no gap, every acknowledged check is there, and no job is open.
4. Figures go to `docs/results/soak.json`; a drift of 5 % or more, or any fault, is exit status 1.
"""

import argparse
import shutil
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from tests.campaigns.databases import KINDS, open_database
from tests.campaigns.gate_kills import (
    ANSWER_SECONDS,
    SEVERAL,
    Clients,
    GateTally,
    Servers,
    answer_the_rest,
    check_store,
    prepare,
)
from tests.campaigns.results import save_figures

# What a round of five requests of the clients decides about: three of one picture, two of several.
CHECKS_A_ROUND = 3 + 2 * SEVERAL
REQUESTS_A_ROUND = 5
LOOK_SECONDS = 5.0
WARM_UP_SHARE = 0.2
MOST_DRIFT = 0.05
MEMORY, COUNTED = ("own_mib", "resident_mib"), ("threads", "files")
READS = ("/v1/checks?limit=50", "/v1/flags?limit=50", "/v1/completeness", "/metrics", "/readyz", "/v1/reviews?limit=50")


@dataclass
class Watch:
    """What a process holds, looked at every few seconds until the block ends."""

    pid: int
    seen: list[dict[str, float]] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "Watch":
        """Begin to look."""
        self._begun = time.monotonic()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Look no more."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            status = Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8")
            fields = dict(line.split(":", 1) for line in status.splitlines())
            files = sum(1 for _ in Path(f"/proc/{self.pid}/fd").iterdir())
            self.seen.append(
                {
                    "second": time.monotonic() - self._begun,
                    "own_mib": int(fields["RssAnon"].split()[0]) / 1024,
                    "resident_mib": int(fields["VmRSS"].split()[0]) / 1024,
                    "threads": int(fields["Threads"]),
                    "files": files,
                }
            )

    def figures(self) -> dict[str, Any]:
        """Return the drift of everything that was looked at."""
        warm = [sample for sample in self.seen if sample["second"] >= WARM_UP_SHARE * self.seen[-1]["second"]]
        seconds = np.array([sample["second"] for sample in warm])
        figures: dict[str, Any] = {"looks": len(warm)}
        for name in MEMORY:
            values = np.array([sample[name] for sample in warm])
            slope = float(np.polyfit(seconds, values, 1)[0])
            drift = slope * (seconds[-1] - seconds[0]) / values.mean()
            figures[name] = {"mean": round(float(values.mean()), 1), "drift": round(float(drift), 4)}
        tenth = max(len(warm) // 10, 1)
        for name in COUNTED:
            counts = [int(sample[name]) for sample in warm]
            figures[name] = {"most_at_first": max(counts[:tenth]), "fewest_at_last": min(counts[-tenth:]), "most": max(counts)}
        return figures

    def faults(self) -> list[str]:
        """Return what is not level."""
        held = self.figures()
        drifts = [f"{name} drifts by {held[name]['drift']:.1%}" for name in MEMORY if held[name]["drift"] >= MOST_DRIFT]
        return drifts + [
            f"{name}: {held[name]}" for name in COUNTED if held[name]["fewest_at_last"] > held[name]["most_at_first"]
        ]


class Load:
    """Requests at a pace, each sent at its moment or as soon after it as a client is free."""

    def __init__(self, clients: Clients, url: str, checks_per_second: float) -> None:
        self._clients, self._url = clients, url
        self._pace_seconds = CHECKS_A_ROUND / REQUESTS_A_ROUND / checks_per_second
        self.seconds: list[float] = []
        self.late = 0
        self.problems: list[str] = []

    def run(self, minutes: float) -> None:
        """Send requests for so long."""
        begun, number = time.monotonic(), 0
        limits = httpx.Limits(max_connections=8)
        with httpx.Client(base_url=self._url, timeout=ANSWER_SECONDS, limits=limits) as client, ThreadPoolExecutor(4) as pool:
            while time.monotonic() - begun < minutes * 60:
                due = begun + number * self._pace_seconds
                time.sleep(max(due - time.monotonic(), 0))
                pool.submit(self._ask, client, number, due)
                number += 1

    def _ask(self, client: httpx.Client, number: int, due: float) -> None:
        self.late += time.monotonic() - due > self._pace_seconds
        begun = time.monotonic()
        if not self._clients.send(client, number):
            self.problems.append(f"request {number} was not answered")
        self.seconds.append(time.monotonic() - begun)
        if number % 7 == 0:
            path = READS[number // 7 % len(READS)]
            answer = client.get(path)
            if answer.status_code != 200:
                self.problems.append(f"{path}: {answer.status_code} {answer.text[:200]}")

    def figures(self) -> dict[str, Any]:
        """Return how long answers took at the start and at the end."""
        tenth = max(len(self.seconds) // 10, 1)
        parts = {"first_tenth": self.seconds[:tenth], "last_tenth": self.seconds[-tenth:]}
        p95 = {name: round(float(np.percentile(taken, 95)) * 1000) for name, taken in parts.items()}
        return {"requests": len(self.seconds), "late": self.late, "p95_ms": p95}


def soak(folder: Path, database_url: str, minutes: float, checks_per_second: float) -> tuple[dict[str, Any], list[str]]:
    """Put a server under load; return the figures, and what was wrong."""
    home, tally = folder / "home", GateTally()
    clients = Clients(prepare(home, database_url))
    servers = Servers(home, database_url)
    load = Load(clients, servers.start(tally), checks_per_second)
    with Watch(servers.pid) as watch:
        load.run(minutes)
    servers.kill()
    answer_the_rest(servers, clients, tally)
    check_store(home, database_url, clients, tally)
    faults = [*load.problems, *clients.problems]
    if tally.faults:
        faults.append(f"the store: {tally.figures()}")
    faults += watch.faults()
    settings = {"minutes": minutes, "checks_per_second": checks_per_second}
    return settings | load.figures() | watch.figures() | tally.figures() | {"faults": faults}, faults


def main() -> None:
    """Soak on one database and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", choices=KINDS, required=True)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--checks-per-second", type=float, default=5.0)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="sleeve-soak-"))
    with open_database(options.database, folder) as url:
        figures, faults = soak(folder, url, options.minutes, options.checks_per_second)
    shutil.rmtree(folder)
    save_figures("soak", options.database, figures)
    print(figures)  # noqa: T201
    if faults:
        sys.exit("\n".join(faults))


if __name__ == "__main__":
    main()
