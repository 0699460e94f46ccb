"""Every command that lists things prints ids and digests whole when its output is piped, however narrow the terminal is."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from shared.workspace import Workspace
from tests.e2e.system.test_cli import SLEEVE
from tests.support.gate_client import training_original

WHOLE = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{64}")
LISTS = (
    ("ingest", "items", "list"),
    ("ingest", "manifests", "list"),
    ("gate", "review", "list"),
    ("gate", "flags", "list"),
    ("gate", "policy", "list"),
    ("gate", "webhooks", "list"),
    ("gate", "payables"),
    ("keys", "list"),
    ("audit", "list"),
    ("jobs", "list"),
)


def run(home: Path, *arguments: str) -> str:
    environment = {**os.environ, "SLEEVE_HOME": str(home), "COLUMNS": "40", "TERM": "xterm"}
    with subprocess.Popen([*SLEEVE, *arguments], env=environment, stdout=subprocess.PIPE, text=True) as process:
        printed, _ = process.communicate(timeout=120)
    assert process.returncode in {0, 3}, printed
    return printed


@pytest.fixture
def home(audited_workspace: Workspace, tmp_path: Path) -> Path:
    """A home with a flag, its review, a webhook and a key."""
    (tmp_path / "copy.png").write_bytes(training_original(audited_workspace))
    run(audited_workspace.home, "gate", "check", str(tmp_path / "copy.png"), "--model", "model-a")
    events = ("gate", "webhooks", "add", "https://93.184.216.34/hook", "--event", "flag.raised")
    run(audited_workspace.home, *events)
    run(audited_workspace.home, "keys", "create", "reader", "--scope", "items:read")
    return audited_workspace.home


def test_lists_that_are_piped_cut_nothing(home: Path) -> None:
    empty = []
    for command in LISTS:
        printed = run(home, *command)
        assert "…" not in printed, command
        if printed.strip() in {"", "none"}:
            empty.append(command)
            continue
        ids = WHOLE.findall(printed)
        if command[-1] == "list" and command[0] not in {"audit", "jobs"}:
            page = json.loads(run(home, *command, "--json"))
            rows = page["items"] if isinstance(page, dict) else page
            wanted = {row["id"] for row in rows if "id" in row and command[:2] != ("ingest", "manifests")}
            assert all(row_id in printed for row_id in wanted), command
        else:
            assert ids, command
    assert set(empty) <= {("jobs", "list"), ("gate", "payables")}
