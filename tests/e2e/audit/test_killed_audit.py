"""A server killed with -9 in the middle of an audit: its process goes with it, and the next server comes to the same audit."""

import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.audit.audits.recorded_audits import load_audit, load_audit_json
from services.audit.jobs.tasks import audit_task
from shared.ledger.verify import verify_log
from shared.settings import Settings
from shared.workspace import open_workspace
from tests.campaigns.processes import START_SECONDS, kill, output_of, start
from tests.e2e.conftest import Audited
from tests.support.postgres import free_port

WAIT_SECONDS = 600.0
# Two shards and a bit, so that what was killed has something to go on from.
AUDIT = {"model": "model-a", "control": "small-control", "generations": 150, "steps": 40, "seed": 3}


def serve(home: Path) -> tuple[subprocess.Popen[bytes], httpx.Client]:
    port = free_port()
    process = start(["serve", "--port", str(port)], home, f"sqlite:///{home / 'sleeve.db'}")
    url, deadline = f"http://127.0.0.1:{port}", time.monotonic() + START_SECONDS
    while True:
        try:
            httpx.get(f"{url}/healthz", timeout=60).raise_for_status()
        except httpx.TransportError:
            assert process.poll() is None, output_of(home)
            assert time.monotonic() < deadline, output_of(home)
            time.sleep(0.05)
        else:
            return process, httpx.Client(base_url=url, timeout=60)


def wait_for(client: httpx.Client, location: str, *, done: int) -> dict[str, Any]:
    deadline = time.monotonic() + WAIT_SECONDS
    while (job := client.get(location).json())["done"] < done or (done == 0 and job["state"] != "done"):
        assert job["state"] in {"queued", "running"}, job
        assert time.monotonic() < deadline, job
        time.sleep(0.02)
    return dict(job)


# Two starts of a real server and two of an audit's process, each of which brings torch.
@pytest.mark.timeout(900)
def test_an_audit_goes_on_after_a_kill(audited: Audited, tmp_path: Path) -> None:
    for name in ("killed", "whole"):
        shutil.copytree(audited.home, tmp_path / name)
    process, client = serve(tmp_path / "killed")
    with client:
        location = client.post("/v1/audits", json=AUDIT).headers["Location"]
        wait_for(client, location, done=64)
        assert client.get("/healthz").json() == {"status": "ok"}
        # The server alone: what it started has to notice.
        assert kill(process, group=False) == 0
    process, client = serve(tmp_path / "killed")
    try:
        with client:
            job = wait_for(client, location, done=0)
            audit = client.get(f"/v1/audits/{job['result']['audit']}/audit.json").content
    finally:
        process.terminate()
        process.wait()
    workspace = open_workspace(Settings(home=tmp_path / "whole", database_url=None))
    result = audit_task(workspace, AUDIT, lambda *_: None)
    assert audit == load_audit_json(workspace, load_audit(workspace, result["audit"]))
    workspace.engine.dispose()
    verify_log(tmp_path / "killed" / "log", (tmp_path / "killed" / "log.vkey").read_text().strip())
