"""Work in a process of its own, as a worker's thread follows it: progress, results, failures, cancelling, kills."""

import os
import signal
import time
from datetime import timedelta
from typing import Any

import pytest

from services.audit.jobs.subprocess_job import JobProgressCallback, run_in_subprocess
from shared.errors import InputError, UnavailableError
from shared.jobs import worker as jobs
from shared.jobs.kind import JobKind
from shared.jobs.worker import JobWorker, running_worker
from shared.records.jobs import Job, add_job, cancel_job, load_job
from shared.workspace import Workspace

WAIT_SECONDS = 60.0


def work(workspace: Workspace, request: dict[str, Any], report_progress: JobProgressCallback) -> dict[str, str]:
    """What the jobs of these tests do: note its process, and then what the request says."""
    (workspace.home / "pid").write_text(str(os.getpid()))
    report_progress(request.get("done", 1), 4, {"steps": 1})
    match request["then"]:
        case "wait":
            time.sleep(WAIT_SECONDS)
        case "refuse":
            raise InputError("expected another control", code="control_overlaps")
        case "break":
            raise ZeroDivisionError
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
    report_progress(4, 4, {"steps": 4})
    return {"model": "m-1"}


WORK = [JobKind("work", "audits:run", "audits:read", run_in_subprocess(work))]


def queue(workspace: Workspace, **request: Any) -> str:
    with workspace.writing() as session:
        return add_job(session, "work", request).id


def look(workspace: Workspace, job_id: str) -> Job:
    with workspace.reading() as session:
        return load_job(session, job_id)


def is_alive(workspace: Workspace) -> bool:
    try:
        os.kill(int((workspace.home / "pid").read_text()), 0)
    except ProcessLookupError:
        return False
    return True


def test_progress_and_result_come_from_the_process(any_workspace: Workspace) -> None:
    job_id = queue(any_workspace, then="end")
    assert JobWorker(any_workspace, WORK, any_workspace).run_next()
    job = look(any_workspace, job_id)
    assert (job.state, job.done, job.total, job.counts, job.result) == ("done", 4, 4, {"steps": 4}, {"model": "m-1"})
    assert (any_workspace.home / "pid").read_text() != str(os.getpid())
    assert not is_alive(any_workspace)


@pytest.mark.parametrize(("then", "code"), [("refuse", "control_overlaps"), ("break", "job_defect")])
def test_what_the_work_meets_is_the_jobs_failure(workspace: Workspace, then: str, code: str) -> None:
    job_id = queue(workspace, then=then)
    assert JobWorker(workspace, WORK, workspace).run_next()
    assert (look(workspace, job_id).state, look(workspace, job_id).error_code) == ("failed", code)


def test_a_killed_process_leaves_its_job_due_but_not_for_ever(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "LEASE", timedelta(0))
    monkeypatch.setattr("shared.jobs.run.LEASE", timedelta(0))
    monkeypatch.setattr(jobs, "MAX_ATTEMPTS", 2)
    job_id = queue(workspace, then="die")
    worker = JobWorker(workspace, WORK, workspace)
    # Its first step counts as getting on; to come to it again does not.
    for attempts in (0, 1, 2):
        with pytest.raises(UnavailableError, match="signal 9"):
            worker.run_next()
        assert (look(workspace, job_id).state, look(workspace, job_id).attempts) == ("running", attempts)
    assert worker.run_next()
    assert look(workspace, job_id).error_code == "job_gave_up"


def test_a_cancelled_job_ends_its_process(workspace: Workspace) -> None:
    job_id = queue(workspace, then="wait")
    with running_worker(workspace, WORK, workspace):
        deadline = time.monotonic() + WAIT_SECONDS
        while look(workspace, job_id).done == 0:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        with workspace.writing() as session:
            cancel_job(session, job_id)
        while is_alive(workspace):
            assert time.monotonic() < deadline
            time.sleep(0.02)
    assert look(workspace, job_id).state == "cancelled"


def test_a_worker_that_is_stopped_ends_the_process_and_gives_the_job_back(workspace: Workspace) -> None:
    job_id = queue(workspace, then="wait")
    with running_worker(workspace, WORK, workspace):
        deadline = time.monotonic() + WAIT_SECONDS
        while look(workspace, job_id).done == 0:
            assert time.monotonic() < deadline
            time.sleep(0.02)
    assert look(workspace, job_id).state == "queued"
    assert not is_alive(workspace)
