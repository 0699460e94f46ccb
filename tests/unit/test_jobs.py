"""The worker: one job at a time, each on record, resumed after a kill, given back on a stop, on both databases."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from shared import jobs
from shared.clock import utc_now
from shared.errors import InputError, UnavailableError
from shared.jobs import JobRun, JobRunner, JobWorker, running_worker
from shared.records.jobs import Job, add_job, claim_job, load_job
from shared.settings import Settings
from shared.workspace import Workspace, open_workspace

STEPS = 30
WAIT_SECONDS = 30.0


def count_up(_workspace: Workspace, run: JobRun) -> None:
    """A job whose steps are on record by themselves: it goes on behind the last."""
    for done in range(run.job.done + 1, STEPS + 1):
        run.save_progress(done, STEPS, {"steps": done})
        time.sleep(run.job.request.get("step_seconds", 0))


def queue(workspace: Workspace, kind: str = "count", **request: Any) -> str:
    with workspace.writing() as session:
        return add_job(session, kind, request).id


def look(workspace: Workspace, job_id: str) -> Job:
    with workspace.reading() as session:
        return load_job(session, job_id)


def wait_for(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_jobs_run_in_order_and_end_on_record(any_workspace: Workspace) -> None:
    seen: list[str] = []

    def note(workspace: Workspace, run: JobRun) -> None:
        seen.append(run.job.id)
        count_up(workspace, run)

    ids = [queue(any_workspace, number=number) for number in range(3)]
    foreign = queue(any_workspace, "other")
    worker = JobWorker(any_workspace, {"count": note})
    while worker.run_next():
        pass
    assert seen == ids
    for job_id in ids:
        job = look(any_workspace, job_id)
        assert (job.state, job.done, job.total, job.counts) == ("done", STEPS, STEPS, {"steps": STEPS})
        assert job.finished_at is not None
    assert look(any_workspace, foreign).state == "queued"


def fail_as_expected(_workspace: Workspace, _run: JobRun) -> None:
    raise InputError("expected another folder", code="folder_full")


def fail_as_a_defect(_workspace: Workspace, _run: JobRun) -> None:
    raise ZeroDivisionError("secret")


@pytest.mark.parametrize(("runner", "code"), [(fail_as_expected, "folder_full"), (fail_as_a_defect, "job_defect")])
def test_a_job_that_raises_has_failed_and_the_next_one_runs(workspace: Workspace, runner: JobRunner, code: str) -> None:
    first, second = queue(workspace, "bad"), queue(workspace)
    worker = JobWorker(workspace, {"bad": runner, "count": count_up})
    assert worker.run_next()
    assert worker.run_next()
    failed = look(workspace, first)
    assert (failed.state, failed.error_code) == ("failed", code)
    assert "secret" not in str(failed.error_message)
    assert look(workspace, second).state == "done"


def test_a_job_whose_database_was_away_is_due_again_but_not_for_ever(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "LEASE", timedelta(0))

    def lose_database(_workspace: Workspace, _run: JobRun) -> None:
        raise UnavailableError("database does not answer")

    job_id = queue(workspace)
    worker = JobWorker(workspace, {"count": lose_database})
    for _ in range(jobs.MAX_ATTEMPTS):
        with pytest.raises(UnavailableError):
            worker.run_next()
    assert look(workspace, job_id).state == "running"
    assert worker.run_next()
    assert (look(workspace, job_id).state, look(workspace, job_id).error_code) == ("failed", "job_gave_up")


def test_a_stopped_worker_gives_its_job_back_and_another_goes_on(any_workspace: Workspace) -> None:
    job_id = queue(any_workspace, step_seconds=0.02)
    with running_worker(any_workspace, {"count": count_up}):
        wait_for(lambda: look(any_workspace, job_id).done > 2)
    stopped = look(any_workspace, job_id)
    assert (stopped.state, stopped.worker) == ("queued", None)
    assert 2 < stopped.done < STEPS
    assert JobWorker(any_workspace, {"count": count_up}).run_next()
    assert look(any_workspace, job_id).done == STEPS


def test_a_job_is_claimed_by_one_worker_until_its_lease_runs_out(any_workspace: Workspace) -> None:
    job_id = queue(any_workspace)
    lease = timedelta(minutes=1)
    with any_workspace.writing() as session:
        assert claim_job(session, "a", ["count"], lease) is not None
    with any_workspace.writing() as session:
        assert claim_job(session, "b", ["count"], lease) is None
        job = load_job(session, job_id)
        job.lease_until = utc_now() - lease
        session.add(job)
    with any_workspace.writing() as session:
        claimed = claim_job(session, "b", ["count"], lease)
    assert claimed is not None
    assert (claimed.id, claimed.worker, claimed.attempts) == (job_id, "b", 2)
    former = JobRun(any_workspace, Job(id=job_id, kind="count", request={}, worker="a"), threading.Event())
    with pytest.raises(jobs.JobStoppedError):
        former.save_progress(9, 9, {})
    assert look(any_workspace, job_id).done == 0


def work_in_a_process(settings: Settings) -> None:
    workspace = open_workspace(settings)
    worker = JobWorker(workspace, {"count": count_up})
    while True:
        worker.run_next()
        time.sleep(0.02)


def test_a_killed_process_loses_nothing(any_workspace: Workspace) -> None:
    job_id = queue(any_workspace, step_seconds=0.05)
    process = multiprocessing.get_context("spawn").Process(
        target=work_in_a_process, args=[any_workspace.settings], daemon=True
    )
    process.start()
    wait_for(lambda: look(any_workspace, job_id).done > 2)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    killed = look(any_workspace, job_id)
    assert killed.state == "running"
    assert killed.done < STEPS
    began = time.monotonic()
    with running_worker(any_workspace, {"count": count_up}):
        wait_for(lambda: look(any_workspace, job_id).state == "done")
    assert time.monotonic() - began < jobs.LEASE.total_seconds() + STEPS * 0.05 + 10
    assert look(any_workspace, job_id).done == STEPS
