"""A folder of generations by command line: a line for each file, and nothing decided twice after a kill."""

import json
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from services.output_gate.checks import folder as module
from services.output_gate.checks.folder import check_files, open_run
from services.output_gate.gate import Gate
from services.output_gate.opening import open_gate
from shared.errors import ConflictError, CorruptStateError, InputError
from shared.folder_listing import list_files
from shared.records.checks import Check
from shared.records.models import Model, load_model_record
from shared.workspace import Workspace
from tests.e2e.system.test_cli import SLEEVE, one_line_error, sleeve
from tests.support.factories import png
from tests.support.gate_client import training_original

WAIT_SECONDS = 60.0


@pytest.fixture
def gate(audited_workspace: Workspace) -> Iterator[Gate]:
    opened = open_gate(audited_workspace)
    yield opened
    opened.close()


def fill(folder: Path, count: int) -> Path:
    (folder / "below").mkdir(parents=True)
    for number in range(count):
        (folder / ("below" if number % 2 else ".") / f"{number:03d}.png").write_bytes(png(12_000 + number))
    return folder


def results(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def checks(workspace: Workspace) -> list[Check]:
    with workspace.reading() as session:
        return list(session.exec(select(Check)).all())


def run(gate: Gate, folder: Path, out: Path) -> None:
    with gate.workspace.reading() as session:
        model: Model = load_model_record(session, "model-a")
    with open_run(folder, out, model) as opened:
        check_files(gate, model, opened, lambda _lines: None)


def test_a_killed_run_goes_on_and_decides_nothing_twice(audited_workspace: Workspace, tmp_path: Path) -> None:
    folder, out = fill(tmp_path / "in", 90), tmp_path / "results.jsonl"
    (folder / "copy.png").write_bytes(training_original(audited_workspace))
    (folder / "bad.png").write_bytes(b"words")
    command = [*SLEEVE, "gate", "check", str(folder), "--model", "model-a", "--out", str(out)]
    environment = {**os.environ, "SLEEVE_HOME": str(audited_workspace.home)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + WAIT_SECONDS
        while not (out.exists() and out.stat().st_size):
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.002)
        os.kill(process.pid, signal.SIGKILL)
    assert len(results(out)) < 92
    again = sleeve(audited_workspace.home, "gate", "check", folder, "--model", "model-a", "--out", out, "--json")
    assert again.returncode == 3, again.stderr
    summary = json.loads(again.stdout[again.stdout.index("{") :])
    lines = results(out)
    assert [line["file"] for line in sorted(lines, key=lambda line: line["file"])] == [
        file.path for file in list_files(folder)
    ]
    assert summary["decisions"] == dict(Counter(line["decision"] for line in lines))
    assert summary["decided_before"] >= 1
    assert summary["decisions"]["refused"] == 1
    assert "copy.png" in [line["file"] for line in summary["flagged"]]
    named = [line["check"] for line in lines if line["check"]]
    assert sorted(named) == sorted(check.id for check in checks(audited_workspace))
    assert not out.with_name(out.name + ".run").exists()
    complete = sleeve(audited_workspace.home, "gate", "completeness")
    assert complete.returncode == 0, complete.stdout + complete.stderr
    assert "complete: no gap" in complete.stdout


def test_what_was_decided_and_has_no_line_is_not_decided_again(
    gate: Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, out = fill(tmp_path / "in", 5), tmp_path / "results.jsonl"
    with monkeypatch.context() as patch:
        patch.setattr(module, "_decided", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            run(gate, folder, out)
    out.write_text('{"file": "000', encoding="utf-8")  # a line that was cut in the middle
    before = {check.id for check in checks(gate.workspace)}
    assert len(before) == 5
    run(gate, folder, out)
    assert {line["check"] for line in results(out)} == before
    assert {check.id for check in checks(gate.workspace)} == before
    # A finished run is finished; a file that came later is decided, and files that are decided anew are so under new results.
    (folder / "new.png").write_bytes(png(12_900))
    run(gate, folder, out)
    assert len(checks(gate.workspace)) == 6
    run(gate, folder, tmp_path / "other.jsonl")
    assert len(checks(gate.workspace)) == 12


def test_results_that_are_not_of_this_run_are_refused(gate: Gate, tmp_path: Path) -> None:
    folder, out = fill(tmp_path / "in", 2), tmp_path / "results.jsonl"
    run(gate, folder, out)
    with gate.workspace.reading() as session:
        model = load_model_record(session, "model-a")
    with open_run(folder, out, model), pytest.raises(ConflictError, match="another run"), open_run(folder, out, model):
        pass
    lines = out.read_text(encoding="utf-8")
    for damaged, kind in ((lines + lines, CorruptStateError), ("{}\n", CorruptStateError), ("[1]\n", CorruptStateError)):
        out.write_text(damaged, encoding="utf-8")
        with pytest.raises(kind), open_run(folder, out, model):
            pass
    out.write_text(lines.replace(model.id, "another"), encoding="utf-8")
    with pytest.raises(ConflictError, match="another model"), open_run(folder, out, model):
        pass
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="expected images"), open_run(tmp_path / "empty", out, model):
        pass


def test_searches_and_evidence_by_command(audited_workspace: Workspace, tmp_path: Path) -> None:
    home, copy, new = audited_workspace.home, tmp_path / "copy.png", tmp_path / "new.png"
    copy.write_bytes(training_original(audited_workspace))
    new.write_bytes(png(777))
    assert sleeve(home, "gate", "seen", copy).returncode == 3
    flagged = sleeve(home, "gate", "check", copy, "--model", "model-a", "--json")
    check_id = json.loads(flagged.stdout)["id"]
    seen = sleeve(home, "gate", "seen", copy)
    assert (seen.returncode, check_id in seen.stdout) == (0, True)
    drawn = sleeve(home, "gate", "evidence", check_id, "--to", tmp_path / "evidence.png")
    assert drawn.returncode == 0, drawn.stderr
    assert (tmp_path / "evidence.png").read_bytes().startswith(b"\x89PNG")
    near = sleeve(home, "gate", "search", copy, "--limit", "2", "--json")
    assert json.loads(near.stdout)["items"][0]["cosine"] == pytest.approx(1, abs=1e-4)
    one_line_error(sleeve(home, "gate", "check", tmp_path, "--model", "model-a"), "folder_options")
    one_line_error(sleeve(home, "gate", "check", copy, "--model", "model-a", "--out", new), "folder_options")
