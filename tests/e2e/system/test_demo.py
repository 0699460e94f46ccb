"""The demo, stopped again and again and started again: it ends with everything done once."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from shared.ledger.verify import verify_log

# The demo as it is, with less training and fewer generations.
PROGRAM = """
import sys
from pathlib import Path
from services.audit.training.presets import DEMO_CONFIG
from services.demo.run import DemoPlan, run_demo
config = DEMO_CONFIG.model_copy(update={"max_train_steps": 12, "checkpointing_steps": 4})
if __name__ == "__main__":
    run_demo(Path(sys.argv[1]), DemoPlan(config, generations=8, sampling_steps=2))
"""
FACES, TILES = 100, 110


def start(program: Path, folder: Path) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, str(program), str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        env={key: value for key, value in os.environ.items() if not key.startswith("SLEEVE_")} | {"COLUMNS": "160"},
    )


@pytest.mark.timeout(600)
def test_a_demo_that_is_interrupted_goes_on_and_does_nothing_twice(tmp_path: Path) -> None:
    program, folder = tmp_path / "program.py", tmp_path / "demo"
    program.write_text(PROGRAM, encoding="utf-8")
    # Ctrl-C while it registers, then a power cut while it trains.
    for stop, after in ((signal.SIGINT, "log/checkpoint"), (signal.SIGKILL, "models/faces-8")):
        process = start(program, folder)
        deadline = time.monotonic() + 120
        while process.poll() is None and not (folder / "state" / after).exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        if process.poll() is None:
            # To the whole group, as a terminal sends it.
            subprocess.run(["/bin/kill", f"-{stop.name.removeprefix('SIG')}", "--", f"-{process.pid}"], check=True)
        _, errors = process.communicate(timeout=120)
        assert b"Traceback" not in errors, errors.decode()
    for _ in range(2):
        process = start(program, folder)
        output, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors.decode()
    assert output.decode().strip().splitlines()[-1] == str(folder / "report.html")
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    report = verify_log(folder / "state" / "log", (folder / "state" / "log.vkey").read_text(encoding="utf-8").strip())
    with sqlite3.connect(folder / "state" / "sleeve.db") as database:
        types = [json.loads(entry)["type"] for (entry,) in database.execute("SELECT entry FROM log_entry")]
    database.close()
    counted = {kind: types.count(kind) for kind in KINDS}
    assert counted == KINDS | {"flag.raised": counted["flag.raised"]}
    assert summary["log"]["size"] == report.size == sum(counted.values())
    assert [model["manifest_size"] for model in summary["models"]] == [8, 64]
    assert all(model["generations"] == 8 for model in summary["models"])
    assert [check["receipt_verified"] for check in summary["gate"]] == [True, True]
    assert "Memorisation audit" in (folder / "report.html").read_text(encoding="utf-8")


# What the log must hold after any number of runs; a flag is raised or not by what so little training gives.
KINDS = {
    "item.registered": FACES + TILES,
    "dataset.sealed": 4,
    "model.trained": 2,
    "audit.completed": 2,
    "policy.adopted": 1,
    "check.decided": 2,
    "flag.raised": 0,
}
