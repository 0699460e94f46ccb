"""The server killed under clients that check, and started again at once: no acknowledged decision is lost or made twice.

Rules, in order:

1. Clients send one picture each time, or several, or several to be decided later, each request under its own Idempotency-Key.
   Acknowledged is what was answered 201, 202 or 207; any other answer ends the campaign.
2. What got no answer is sent again after the restart, with the same key: it may have been decided, and must not be twice.
3. A server is a fork of a process that has imported everything and started no thread: the imports are shared, the server is
   real, and a restart does what `sleeve serve` does after its imports. It is over when `/readyz` answers 200.
4. After every tenth kill and the last, log and completeness are checked: the log verifies, completeness finds no gap, each
   acknowledged check is there with its decision, each receipt holds, each acknowledged job ends with an outcome for each.
"""

import itertools
import multiprocessing
import os
import queue
import random
import shutil
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import httpx

from tests.campaigns.databases import wait_until_left
from tests.support.factories import png
from tests.support.postgres import free_port

CLIENTS = 3
SIDE_PX = 24
# A kill comes a moment after so many answers, so that it means the same on a slow machine.
MOST_ANSWERS = 12
MOMENT_SECONDS = 0.2
ANSWER_SECONDS = 120
START_SECONDS = 300
SEVERAL = 3
MODEL = "model-a"
EVERY = 10
# What a server imports before its first answer; none of it starts a thread.
PRELOADED = (
    "services.server.app",
    "numba",
    "scipy.ndimage",
    "qdrant_edge",
    "shared.index.edge_index",
    "uvicorn.lifespan.on",
    "psycopg",
)


@dataclass
class GateTally:
    """What a campaign found."""

    kills: int = 0
    checks_of_store: int = 0
    acknowledged: int = 0
    acknowledged_jobs: int = 0
    decided: int = 0
    log_size: int = 0
    lost: int = 0
    doubled: int = 0
    bad_receipts: int = 0
    unfinished_jobs: int = 0
    completeness_gaps: int = 0
    decisions: Counter[str] = field(default_factory=Counter)
    restart_seconds: list[float] = field(default_factory=list)
    # Told of the tally after each check, so that a campaign that is stopped has not been for nothing.
    on_check: Callable[["GateTally"], None] = field(default=lambda _tally: None, repr=False)

    @property
    def faults(self) -> int:
        """Everything that must be zero, added up."""
        return self.lost + self.doubled + self.bad_receipts + self.unfinished_jobs + self.completeness_gaps

    def figures(self) -> dict[str, Any]:
        """The figures to be kept."""
        counts = {name: value for name, value in vars(self).items() if isinstance(value, int)}
        seconds = sorted(self.restart_seconds)
        restarts = {"p50": round(median(seconds), 2), "max": round(seconds[-1], 2)}
        return {**counts, "decisions": dict(self.decisions), "restart_seconds": restarts}


def serve(home: str, database_url: str, port: int) -> None:
    """Run a server, in a process of its own."""
    from services.server.listener import build_server
    from shared.logging import configure_logging
    from shared.settings import Settings

    configure_logging(verbose=False)
    sys.stdout = sys.stderr = (Path(home).with_suffix(".output")).open("a", encoding="utf-8")
    build_server(Settings(home=Path(home), database_url=database_url, host="127.0.0.1", port=port)).run()


class Servers:
    """Servers over one home, one after the other, each forked from a process that imported everything once."""

    def __init__(self, home: Path, database_url: str) -> None:
        self._home, self._database_url = home, database_url
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([*PRELOADED, "tests.campaigns.gate_kills"])
        self._process: Any = None
        # The imports are done with the first process, and are no part of a restart.
        first = self._context.Process(target=time.monotonic)
        first.start()
        first.join()

    def start(self, tally: GateTally) -> str:
        """Start a server and return its URL once it is ready."""
        port, begun = free_port(), time.monotonic()
        self._process = self._context.Process(target=serve, args=(str(self._home), self._database_url, port))
        self._process.start()
        url = f"http://127.0.0.1:{port}"
        while not _is_ready(url):
            if not self._process.is_alive() or time.monotonic() - begun > START_SECONDS:
                raise RuntimeError(f"the server did not come up, see {self._home.with_suffix('.output')}")
            time.sleep(0.02)
        tally.restart_seconds.append(time.monotonic() - begun)
        return url

    @property
    def pid(self) -> int:
        """Process id of the server that was started last."""
        return int(self._process.pid)

    def kill(self) -> None:
        """Kill the server with SIGKILL."""
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.join()
        wait_until_left(self._database_url)


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=ANSWER_SECONDS).status_code == 200
    except httpx.TransportError:
        return False


class Clients:
    """Clients that check until their server is gone."""

    def __init__(self, originals: list[bytes]) -> None:
        self._originals = originals
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self.unanswered: queue.SimpleQueue[int] = queue.SimpleQueue()
        self.answers = 0
        # By key: the checks that were acknowledged, id by position, and the jobs.
        self.checks: dict[int, dict[int, str]] = {}
        self.decisions: dict[str, str] = {}
        self.receipts: dict[str, str] = {}
        self.jobs: dict[int, str] = {}
        self.problems: list[str] = []

    def run(self, url: str, chance: random.Random, servers: Servers) -> None:
        """Let the clients work for a while, and kill the server under them."""
        enough, deadline = self.answers + chance.randint(0, MOST_ANSWERS), time.monotonic() + ANSWER_SECONDS
        threads = [threading.Thread(target=self._work, args=(url,)) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        while self.answers < enough and not self.problems and time.monotonic() < deadline:
            time.sleep(0.002)
        time.sleep(chance.uniform(0, MOMENT_SECONDS))
        servers.kill()
        for thread in threads:
            thread.join()

    def _work(self, url: str) -> None:
        with httpx.Client(base_url=url, timeout=ANSWER_SECONDS) as client:
            while self.send(client, self._next()):
                pass

    def _next(self) -> int:
        try:
            return self.unanswered.get_nowait()
        except queue.Empty:
            with self._lock:
                return next(self._numbers)

    def send(self, client: httpx.Client, number: int) -> bool:
        """Send one request; say whether it was acknowledged."""
        try:
            answer = client.post(
                "/v1/checks",
                files=[("image", (f"{at}.png", data, "image/png")) for at, data in enumerate(self._images(number))],
                data={"model": MODEL},
                headers={"Idempotency-Key": f"key-{number}"} | ({"Prefer": "respond-async"} if number % 5 == 4 else {}),
            )
        except httpx.TransportError:
            self.unanswered.put(number)
            return False
        if answer.status_code not in {201, 202, 207}:
            self.problems.append(f"{answer.status_code}: {answer.text[:300]}")
            self.unanswered.put(number)
            return False
        with self._lock:
            self.answers += 1
            self._keep(number, answer)
        return True

    def _images(self, number: int) -> list[bytes]:
        """One picture three times of five, else several, one of which is no picture; every third is a registered item."""
        if number % 5 < 3:
            return [self._originals[number % len(self._originals)] if number % 3 == 0 else png(100_000 + number, SIDE_PX)]
        return [png(200_000 + number * SEVERAL + at, SIDE_PX) for at in range(SEVERAL)] + [b"words"]

    def _keep(self, number: int, answer: httpx.Response) -> None:
        body = answer.json()
        if answer.status_code == 202:
            self.jobs[number] = body["id"]
            return
        entries = body.get("checks", [{"position": 0, "check": body}])
        checks = {entry["position"]: entry["check"] for entry in entries if entry["check"]}
        self.checks[number] = {position: check["id"] for position, check in checks.items()}
        self.decisions |= {check["id"]: check["decision"] for check in checks.values()}
        self.receipts |= {check["id"]: check["receipt"] for check in checks.values()}


def run_gate_kills(folder: Path, database_url: str, kills: int, seed: int, tally: GateTally | None = None) -> GateTally:
    """Kill a server this many times, start it once more for what got no answer, and return what was found."""
    chance, tally, home = random.Random(seed), tally or GateTally(), folder / "home"
    originals = prepare(home, database_url)
    servers, clients = Servers(home, database_url), Clients(originals)
    while tally.kills < kills:
        clients.run(servers.start(tally), chance, servers)
        tally.kills += 1
        if clients.problems:
            raise RuntimeError(f"a check was refused: {clients.problems[0]}")
        if tally.kills % EVERY == 0 and tally.kills < kills:
            check_store(home, database_url, clients, tally)
    answer_the_rest(servers, clients, tally)
    check_store(home, database_url, clients, tally)
    return tally


def answer_the_rest(servers: Servers, clients: Clients, tally: GateTally) -> None:
    """Send again what got no answer, and wait for every job that was acknowledged."""
    url = servers.start(tally)
    with httpx.Client(base_url=url, timeout=ANSWER_SECONDS) as client:
        while not clients.unanswered.empty():
            if not clients.send(client, clients.unanswered.get()):
                raise RuntimeError(f"what had got no answer got none again: {clients.problems}")
        for job_id in clients.jobs.values():
            deadline = time.monotonic() + ANSWER_SECONDS
            while (job := client.get(f"/v1/checks/jobs/{job_id}").json())["finished_at"] is None:
                if time.monotonic() > deadline:
                    break
                time.sleep(0.05)
            outcomes = job["checks"] or []
            tally.unfinished_jobs += job["state"] != "done" or len(outcomes) != SEVERAL + 1
            tally.unfinished_jobs += any(not outcome["check"] and not outcome["problem"] for outcome in outcomes)
    servers.kill()


def check_store(home: Path, database_url: str, clients: Clients, tally: GateTally) -> None:
    """Hold what was acknowledged against log and database, and put what is wrong into the tally."""
    from sqlmodel import select

    from services.output_gate.completeness.count import CompletenessCount
    from shared.errors import SleeveError
    from shared.ledger.verify import verify_log, verify_receipt
    from shared.records.checks import Check
    from shared.settings import Settings
    from shared.workspace import open_workspace

    workspace = open_workspace(Settings(home=home, database_url=database_url))
    try:
        counted = CompletenessCount(workspace).bring_up()
        verify_log(workspace.log.folder, workspace.log.vkey)
        with workspace.reading() as session:
            recorded = dict(session.exec(select(Check.id, Check.decision)).all())
        named = [check_id for checks in clients.checks.values() for check_id in checks.values()]
        tally.checks_of_store += 1
        tally.acknowledged, tally.acknowledged_jobs, tally.decided = len(named), len(clients.jobs), len(recorded)
        tally.log_size, tally.completeness_gaps = counted.recount.size, len(counted.gaps)
        tally.lost = sum(recorded.get(check_id) != clients.decisions[check_id] for check_id in named)
        tally.doubled = len(named) - len(set(named)) + _count_unasked(clients, len(recorded))
        tally.decisions = Counter(recorded.values())
        tally.bad_receipts = 0
        for check_id, receipt in clients.receipts.items():
            try:
                tally.bad_receipts += verify_receipt(receipt, workspace.log.vkey).entry.subject["check"] != check_id
            except SleeveError:
                tally.bad_receipts += 1
    finally:
        workspace.engine.dispose()
    tally.on_check(tally)


def _count_unasked(clients: Clients, recorded: int) -> int:
    """Return how many checks there are beyond one for each picture that was sent, once everything was answered."""
    if not clients.unanswered.empty():
        return 0
    sent = sum(len(checks) for checks in clients.checks.values()) + SEVERAL * len(clients.jobs)
    return max(recorded - sent, 0)


def prepare(home: Path, database_url: str) -> list[bytes]:
    """Make a workspace with one audited model, in a process of its own so that no thread of it is forked later.

    Returns:
        The pictures that the model was trained on.
    """
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return list(pool.apply(build_audited_home, (str(home), database_url)))


def build_audited_home(home: str, database_url: str) -> list[bytes]:
    """Register, train and audit as the end-to-end tests do, and return the pictures that the model was trained on."""
    from services.audit.training_sets.sealed_set import load_sealed_set
    from shared.settings import Settings
    from shared.workspace import open_workspace
    from tests.e2e.conftest import build_audited

    folder, made = Path(home), Path(home).parent / "made"
    if not (made / "home").is_dir():  # a campaign whose state was kept has it
        build_audited(made)
    shutil.copytree(made / "home", folder)
    source = open_workspace(Settings(home=folder, database_url=None))
    originals = [source.blobs.load(digest) for digest in load_sealed_set(source, "small").blobs]
    _move_database(source, database_url, folder)
    return originals


def _move_database(source: Any, database_url: str, folder: Path) -> None:
    from tests.support.copied_database import copy_database

    copy_database(source.engine, database_url, folder)
    source.engine.dispose()
