"""An audit killed with SIGKILL while it compares, and after its file was written: run again, it is the same, once."""

import multiprocessing
import os
import shutil
import signal
from pathlib import Path

import pytest

from services.audit.audits import audit as audits
from shared.records.models import list_audits, load_model_record
from shared.settings import Settings
from shared.workspace import Workspace, open_workspace
from tests.e2e.conftest import GENERATIONS, STEPS, Audited, audit_context

_processes = multiprocessing.get_context("forkserver")


def audit(home: Path, kill_at: str = "") -> str:
    """Audit the model of a home by another rate than its first audit; the process kills itself where it is told to."""

    def kill(*_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    if kill_at:
        setattr(audits, kill_at, kill)
    workspace = open_workspace(Settings(home=home, database_url=None))
    samples = home / "samples" / "model-a" / f"ddim-{STEPS}-seed-0-count-{GENERATIONS}"
    recorded, _ = audits.audit_model(audit_context(workspace, rate=0.05), "model-a", samples)
    workspace.engine.dispose()
    return recorded.report_sha256


# After the generations were matched; when everything is computed; after the files are written, before the record.
@pytest.mark.parametrize("kill_at", ["compare", "canonical_json", "find_audit"])
def test_a_killed_audit_is_the_same_when_it_is_run_again(
    audited: Audited, audited_workspace: Workspace, tmp_path: Path, kill_at: str
) -> None:
    shutil.copytree(audited.home, tmp_path / "other")
    expected = audit(tmp_path / "other")
    process = _processes.Process(target=audit, args=(audited_workspace.home, kill_at))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    size = audited_workspace.log.integrate().size
    assert audit(audited_workspace.home) == expected
    assert audit(audited_workspace.home) == expected
    assert audited_workspace.log.integrate().size == size + 1
    with audited_workspace.reading() as session:
        found = list_audits(session, load_model_record(session, "model-a").id)
    assert [one.report_sha256 for one in found].count(expected) == 1
