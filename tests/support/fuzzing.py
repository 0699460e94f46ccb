"""Schemathesis against the running application: what is asked of it, with what, and what counts as a fault.

Rules, in order:

1. The application is the real one, over an audited workspace, behind a real port. It reaches nobody: fetches may go to no
   port that anything could answer on, and webhooks are of this machine.
2. Requests are generated from the description that the application serves: its examples, the boundaries of every schema,
   random ones, and chains along the ids that answers name. Half of them break the schema. A part of the names and ids are
   real ones, so that requests get beyond "not found".
3. A fault is a server error, an answer that the description does not allow (status, media type, headers, schema), or a
   request that breaks the schema and is accepted.
4. A request that fits its schema may be refused all the same: what a schema cannot say (that a licence is an SPDX expression,
   that a name is taken) is answered 404, 409, 412, 413, 415 or 422.
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.output_gate.opening import open_gate
from services.output_gate.webhooks.outbox import EVENTS
from services.server.app import create_app
from shared.settings import Settings
from shared.workspace import open_workspace
from tests.support.factories import png
from tests.support.paths import ROOT

START_SECONDS = 120.0
# TCP port 1 (tcpmux, RFC 1078): nothing answers there.
NO_PORTS = (1,)
LOOPBACK = ip_network("127.0.0.1/32")
REFUSALS = ("2xx", "304", "404", "409", "412", "413", "415", "422")
# So many pictures of the data set, of which a part is in the training set, are checked beforehand.
KNOWN_CHECKS = 12
SEARCH = {
    "sources": ["picture agencies"],
    "searched_by": "Rita Researcher",
    "searched_at": "2026-03-01T09:00:00Z",
    "work_category": "photography",
    "result": "owner_not_found",
}
# How often a known name or id is taken where one could stand.
KNOWN_SHARE = 0.5


@dataclass(frozen=True)
class Fuzzed:
    """What a run of Schemathesis came to."""

    succeeded: bool
    output: str
    report: dict[str, Any]

    def counts(self) -> dict[str, Any]:
        """How many operations and requests there were, and how many unlike faults of which kinds."""
        wanted = ("operations", "test_cases", "failures", "errors")
        return {name: self.report[name] for name in wanted if name in self.report}


@dataclass(frozen=True)
class Served:
    """A running application: where it is, and how many answers of each class of status it has given."""

    url: str
    answers: Counter[str]


def counted(app: ASGIApp, answers: Counter[str]) -> ASGIApp:
    """Count an application's answers by class of status, `2xx` and so on."""

    async def counting(scope: Scope, receive: Receive, send: Send) -> None:
        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                answers[f"{message['status'] // 100}xx"] += 1
            await send(message)

        await app(scope, receive, sent)

    return counting


@contextmanager
def serving(home: Path) -> Iterator[Served]:
    """Serve a workspace on a free port, with all that a server does in the background."""
    settings = Settings(home=home, database_url=None, fetch_allowed_ports=NO_PORTS, fetch_allowed_networks=(LOOPBACK,))
    workspace = open_workspace(settings)
    answers: Counter[str] = Counter()
    app = counted(create_app(workspace, open_gate(workspace)), answers)
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        deadline = time.monotonic() + START_SECONDS
        while not server.started:
            assert thread.is_alive()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield Served(f"http://127.0.0.1:{port}", answers)
    finally:
        server.should_exit = True
        thread.join()
        workspace.engine.dispose()


def known_values(url: str) -> dict[str, list[str]]:
    """Ask the application for names and ids of what it holds, and make what it does not hold yet."""
    with httpx.Client(base_url=url, timeout=START_SECONDS) as client:
        items = client.get("/v1/items", params={"limit": 5}).json()["items"]
        hook = client.post("/v1/webhooks", json={"url": f"http://127.0.0.1:{NO_PORTS[0]}/", "events": list(EVENTS)}).json()
        # Pictures of the training set among others: what is drawn like them raises flags.
        files = [("image", (f"{seed}.png", png(seed), "image/png")) for seed in range(KNOWN_CHECKS)]
        checks = client.post("/v1/checks", files=files, data={"model": "model-a"}).json()["checks"]
        job = client.post("/v1/archive/verifications", json={"limit": 1}).json()
        later = client.post(
            "/v1/checks", files=files[:1], data={"model": "model-a"}, headers={"Prefer": "respond-async"}
        ).json()
        search = client.post("/v1/diligence", json=SEARCH | {"items": [items[0]["id"]]}).json()
        deliveries = client.get(f"/v1/webhooks/{hook['id']}/deliveries").json()["items"]
        return {
            "item_id": [item["id"] for item in items],
            "sha256": [item["sha256"] for item in items],
            "name": ["small", "small-control", "model-a"],
            "audit_id": client.get("/v1/models/model-a").json()["audits"],
            "job_id": [job["id"], later["id"]],
            "check_id": [check["check"]["id"] for check in checks],
            "flag_id": [flag["id"] for flag in client.get("/v1/flags").json()["items"]],
            "policy_id": [policy["id"] for policy in client.get("/v1/policies").json()["items"]],
            "search_id": [search["id"]],
            "webhook_id": [hook["id"]],
            "delivery_id": [delivery["id"] for delivery in deliveries],
        }


def build_config(values: Mapping[str, list[str]], description: Mapping[str, Any]) -> str:
    """Write Schemathesis's configuration: which names and ids are real, and what a request may be refused with."""
    named = {
        parameter["name"]
        for methods in description["paths"].values()
        for operation in methods.values()
        for parameter in operation.get("parameters", ())
        if parameter["in"] == "path"
    }
    lines = ["[checks.positive_data_acceptance]", f"expected-statuses = {json.dumps(REFUSALS)}", ""]
    for name, known in values.items():
        lines += [f"[dictionaries.{name}]", f"values = {json.dumps(known)}", ""]
    lines += ["[parameters]"]
    lines += [f'"path.{name}" = {{ dictionary = "{name}", probability = {KNOWN_SHARE} }}' for name in values if name in named]
    return "\n".join(lines) + "\n"


def fuzz(url: str, folder: Path, *, examples: int, phases: str, seed: int, timeout_seconds: float) -> Fuzzed:
    """Run Schemathesis.

    Args:
        url: of the application.
        folder: for configuration and report.
        examples: random requests an operation.
        phases: of `examples,coverage,fuzzing,stateful`.
        seed: of what is random.
        timeout_seconds: after which it is given up.
    """
    description = httpx.get(f"{url}/openapi.json", timeout=START_SECONDS).json()
    config, report = folder / "schemathesis.toml", folder / "report.json"
    config.write_text(build_config(known_values(url), description), encoding="utf-8")
    command = [str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(config), "run", f"{url}/openapi.json"]
    command += ["--phases", phases, "--max-examples", str(examples), "--seed", str(seed), "--mode", "all", "--checks", "all"]
    command += ["--suppress-health-check", "all", "--generation-database", "none", "--continue-on-failure", "--no-color"]
    command += ["--request-timeout", "120", "--report", "json", "--report-json-path", str(report)]
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "SCHEMATHESIS_HOOKS": "tests.support.fuzzing_hooks",
        "COLUMNS": "160",
    }
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=timeout_seconds, check=False
    )
    totals = json.loads(report.read_text(encoding="utf-8")) if report.exists() else {}
    return Fuzzed(done.returncode == 0, done.stdout + done.stderr, totals)
