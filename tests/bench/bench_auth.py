"""What asking for a key costs a request, on both databases.

Rules, in order:

1. The same application, without keys and with them, answers the same small request in one process, in turns: `GET /log.vkey`
   with a good key, which is looked up there as on every route. The difference of the medians is the cost.
2. Nothing goes over the wire: the application is called as the server calls it, so that the difference stands out. Processor
   time is this process's, threads included; it hardly depends on what else the machine does, as the medians do.
3. `find_route` is the part that finds what a route asks for, of the last route in the list, which takes longest.
4. Asked with real-time priority, where the process may take it: for some seconds other work of the machine does not count.
   PostgreSQL's own processes have the ordinary one.
5. Prints one JSON line.
"""

import asyncio
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from fastapi import FastAPI

from services.output_gate.opening import open_gate
from services.server.app import create_app
from shared.auth.access import declared_routes, find_access
from shared.settings import Settings
from shared.workspace import Workspace, open_workspace
from tests.support.keys import asking_for_keys, make_key
from tests.support.postgres import empty_postgres

ROUNDS, WARM = 800, 200
PATH = "/log.vkey"


@contextmanager
def before_others() -> Iterator[bool]:
    """Run before ordinary processes; yield whether that was allowed."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except PermissionError:
        yield False
        return
    try:
        yield True
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


async def ask(app: FastAPI, headers: list[tuple[bytes, bytes]]) -> tuple[float, float]:
    """Ask once; return how many seconds it took, by the clock and of the processor."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": PATH,
        "raw_path": PATH.encode(),
        "query_string": b"",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "scheme": "http",
        "http_version": "1.1",
        "root_path": "",
    }
    began, began_working = perf_counter(), process_time()
    await app(scope, receive, send)
    took = perf_counter() - began, process_time() - began_working
    if sent[0]["status"] != 200:
        sys.exit(f"expected 200, got {sent[0]}")
    return took


async def measure(without: FastAPI, asking: FastAPI, key: str) -> dict[str, Any]:
    """Ask both in turns; milliseconds."""
    plain, shown = [(b"host", b"127.0.0.1")], [(b"host", b"127.0.0.1"), (b"authorization", f"Bearer {key}".encode())]
    took: dict[str, list[tuple[float, float]]] = {"without": [], "with": []}
    # Threads that are made from now on have this one's priority.
    with before_others() as is_first:
        for round_ in range(ROUNDS + WARM):
            pair = {"without": await ask(without, plain), "with": await ask(asking, shown)}
            if round_ >= WARM:
                for name, seconds in pair.items():
                    took[name].append(seconds)
    by_clock, of_processor = (
        {name: statistics.median(pair[which] for pair in pairs) * 1000 for name, pairs in took.items()} for which in (0, 1)
    )
    return {
        "without_ms": round(by_clock["without"], 3),
        "with_ms": round(by_clock["with"], 3),
        "added_ms": round(by_clock["with"] - by_clock["without"], 3),
        "real_time_priority": is_first,
        "added_processor_ms": round(of_processor["with"] - of_processor["without"], 3),
    }


def measure_on(url: str | None, home: Path) -> dict[str, Any]:
    """Measure on one database."""
    workspace: Workspace = open_workspace(Settings(home=home, database_url=url))
    gate = open_gate(workspace)
    try:
        apps = create_app(workspace, gate), create_app(asking_for_keys(workspace), gate)
        return asyncio.run(measure(*apps, make_key(workspace, "items:read")))
    finally:
        gate.close()
        workspace.engine.dispose()


def find_route_us() -> float:
    """Microseconds to find what the last route asks for."""
    from services.server.app import build_api

    routes = tuple(declared_routes(build_api()))
    began = perf_counter()
    for _ in range(ROUNDS):
        find_access(routes, "GET", "/healthz")
    return round((perf_counter() - began) / ROUNDS * 1e6, 1)


def main() -> None:
    """Measure and print."""
    figures: dict[str, Any] = {"find_route_us": find_route_us()}
    with tempfile.TemporaryDirectory() as folder:
        figures["sqlite"] = measure_on(None, Path(folder) / "sqlite")
        with empty_postgres() as url:
            if url is not None:
                figures["postgresql"] = measure_on(url, Path(folder) / "postgresql")
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
