"""`sleeve ingest add` killed with SIGKILL at random points: run to its end, every count is exact and the log verifies."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from sqlmodel import func, select

from shared.ledger.verify import verify_log
from shared.records.committed_entries import Commitment
from shared.records.items import Blob, Diligence, Item, ItemOwner
from shared.settings import Settings
from shared.workspace import Workspace, open_workspace
from tests.support.factories import png
from tests.support.paths import ROOT
from tests.unit.services.ingest.small_sources import sample, write_tar

ROWS, KILLS = 2600, 3
# Small enough for several batches before a kill; `sleeve` itself is started with its own size.
BATCH_ROWS = 100
START = f"""from services.ingest.bulk import pipeline as bulk
bulk.BATCH_ROWS = {BATCH_ROWS}
from services.commands.main import main
main()
"""


def start(path: Path, home: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", START, "ingest", "add", str(path), "--acquirer", "Ada", "--dataset", "works"]
    environment = {**os.environ, "SLEEVE_HOME": str(home), "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def kill_after_lines(process: subprocess.Popen[str], status: Path, lines: int, wait_seconds: float) -> None:
    """Kill a run a random moment after its status file reached a number of lines."""
    deadline = time.monotonic() + 60
    while not status.exists() or status.read_bytes().count(b"\n") < lines:
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.002)
    time.sleep(wait_seconds)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL


def test_killed_runs_end_with_exact_counts(tmp_path: Path) -> None:
    # Every tenth picture is there twice under two keys; a few rows are bad.
    samples = [sample(f"{n:05d}", n, licence=None if n % 500 == 7 else "MIT") for n in range(ROWS)]
    for number in range(10, ROWS, 10):
        samples[number][0] = (samples[number][0][0], png(number - 1))
    path = write_tar(tmp_path / "in.tar", [member for members in samples for member in members])
    home, chance = tmp_path / "home", random.Random(1)
    status = home / "ingest" / "works.status.jsonl"
    for kill in range(KILLS):
        lines = (kill * 6 + chance.randint(1, 4)) * BATCH_ROWS
        kill_after_lines(start(path, home), status, lines, chance.random() * 0.15)
    output = start(path, home).communicate(timeout=120)[0]
    assert "went on after" in output
    check_counts(home, status)


def check_counts(home: Path, status: Path) -> None:
    lines = [json.loads(line) for line in status.read_text(encoding="utf-8").splitlines()]
    assert [line["row"] for line in lines] == [f"{n:05d}" for n in range(ROWS)]
    states = Counter(line["state"] for line in lines)
    bad = len(range(7, ROWS, 500))
    assert (states["refused"], states["registered"] + states["known"]) == (bad, ROWS - bad)
    workspace = open_workspace(Settings(home=home, database_url=None))
    items = ROWS - bad
    shared = len(range(10, ROWS, 10))
    assert {model: count(workspace, model) for model in (Item, ItemOwner, Diligence, Commitment, Blob)} == {
        Item: items,
        ItemOwner: items,
        Diligence: items,
        Commitment: 2 * items,
        Blob: items - shared,
    }
    assert workspace.log.integrate().size == items
    assert verify_log(workspace.log.folder, workspace.log.vkey).size == items
    with workspace.reading() as session:
        digests = session.exec(select(Blob.sha256)).all()
    for digest in digests:
        workspace.blobs.load(digest)
    workspace.engine.dispose()


def count(workspace: Workspace, model: type) -> int:
    with workspace.reading() as session:
        return session.exec(select(func.count()).select_from(model)).one()
