"""The worker: one job at a time, each on record, resumed after a kill, given back on a stop, on both databases."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest

from shared.clock import utc_now
from shared.errors import ConflictError, InputError, NotFoundError, UnavailableError
from shared.jobs.kind import JobKind
from shared.jobs.run import LEASE, JobRun, JobStoppedError
from shared.jobs.worker import MAX_ATTEMPTS, JobWorker, running_worker
from shared.records.jobs import Job, add_job, cancel_job, claim_job, list_jobs, load_job
from shared.settings import Settings
from shared.workspace import Workspace, open_workspace

STEPS = 30
WAIT_SECONDS = 30.0

Runner = Callable[[Workspace, JobRun], Mapping[str, str] | None]


def count_up(_workspace: Workspace, run: JobRun) -> None:
    """A job whose steps are on record by themselves: it goes on behind the last."""
    for done in range(run.job.done + 1, STEPS + 1):
        run.save_progress(done, STEPS, {"steps": done})
        time.sleep(run.job.request.get("step_seconds", 0))


def of_kind(name: str, runner: Runner) -> JobKind[Workspace]:
    return JobKind(name, "items:write", "items:read", runner)


COUNT = of_kind("count", count_up)


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
    worker = JobWorker(any_workspace, [of_kind("count", note)], any_workspace)
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
def test_a_job_that_raises_has_failed_and_the_next_one_runs(workspace: Workspace, runner: Runner, code: str) -> None:
    first, second = queue(workspace, "bad"), queue(workspace)
    worker = JobWorker(workspace, [of_kind("bad", runner), COUNT], workspace)
    assert worker.run_next()
    assert worker.run_next()
    failed = look(workspace, first)
    assert (failed.state, failed.error_code) == ("failed", code)
    assert "secret" not in str(failed.error_message)
    assert look(workspace, second).state == "done"


def test_a_job_whose_database_was_away_is_due_again_but_not_for_ever(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Over before it began: two attempts may fall into one millisecond.
    monkeypatch.setattr("shared.jobs.worker.LEASE", timedelta(seconds=-1))

    def lose_database(_workspace: Workspace, _run: JobRun) -> None:
        raise UnavailableError("database does not answer")

    job_id = queue(workspace)
    worker = JobWorker(workspace, [of_kind("count", lose_database)], workspace)
    for _ in range(MAX_ATTEMPTS):
        with pytest.raises(UnavailableError):
            worker.run_next()
    assert look(workspace, job_id).state == "running"
    assert worker.run_next()
    assert (look(workspace, job_id).state, look(workspace, job_id).error_code) == ("failed", "job_gave_up")


def test_a_stopped_worker_gives_its_job_back_and_another_goes_on(any_workspace: Workspace) -> None:
    job_id = queue(any_workspace, step_seconds=0.02)
    with running_worker(any_workspace, [COUNT], any_workspace):
        wait_for(lambda: look(any_workspace, job_id).done > 2)
    stopped = look(any_workspace, job_id)
    assert (stopped.state, stopped.worker) == ("queued", None)
    assert 2 < stopped.done < STEPS
    assert JobWorker(any_workspace, [COUNT], any_workspace).run_next()
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
    with pytest.raises(JobStoppedError):
        former.save_progress(9, 9, {})
    assert look(any_workspace, job_id).done == 0


def cancel(workspace: Workspace, job_id: str) -> Job:
    with workspace.writing() as session:
        return cancel_job(session, job_id)


def test_a_waiting_job_that_is_cancelled_never_runs(any_workspace: Workspace) -> None:
    job_id = queue(any_workspace)
    assert cancel(any_workspace, job_id).state == "cancelled"
    assert not JobWorker(any_workspace, [COUNT], any_workspace).run_next()
    assert cancel(any_workspace, job_id).finished_at == look(any_workspace, job_id).finished_at
    assert look(any_workspace, job_id).done == 0


def test_a_running_job_that_is_cancelled_stops_at_its_next_step(any_workspace: Workspace) -> None:
    job_id, other = queue(any_workspace, step_seconds=0.02), queue(any_workspace)
    with running_worker(any_workspace, [COUNT], any_workspace):
        wait_for(lambda: look(any_workspace, job_id).done > 2)
        assert cancel(any_workspace, job_id).state == "cancelled"
        wait_for(lambda: look(any_workspace, other).state == "done")
    job = look(any_workspace, job_id)
    assert (job.state, job.worker, job.lease_until) == ("cancelled", None, None)
    assert 2 < job.done < STEPS


def test_a_finished_job_cannot_be_cancelled(workspace: Workspace) -> None:
    done, failed = queue(workspace), queue(workspace, "bad")
    worker = JobWorker(workspace, [COUNT, of_kind("bad", fail_as_expected)], workspace)
    while worker.run_next():
        pass
    for job_id in (done, failed):
        with pytest.raises(ConflictError) as caught:
            cancel(workspace, job_id)
        assert caught.value.code == "job_finished"
    with pytest.raises(NotFoundError):
        cancel(workspace, "none")


def test_jobs_are_listed_newest_first_by_state_and_kind(any_workspace: Workspace) -> None:
    ids = [queue(any_workspace, kind) for kind in ("a", "b", "a", "a")]
    cancel(any_workspace, ids[0])
    with any_workspace.reading() as session:
        assert [job.id for job in list_jobs(session, None, 10)] == ids[::-1]
        assert [job.id for job in list_jobs(session, None, 2, kind="a")] == [ids[3], ids[2]]
        assert [job.id for job in list_jobs(session, ids[2], 10, kind="a")] == [ids[0]]
        assert [job.id for job in list_jobs(session, None, 10, state="cancelled")] == [ids[0]]
        assert list_jobs(session, None, 10, state="queued", kind="c") == []


def test_what_came_of_a_job_is_named_when_it_is_done(any_workspace: Workspace) -> None:
    job_id = queue(any_workspace)
    assert look(any_workspace, job_id).result is None
    assert JobWorker(any_workspace, [of_kind("count", lambda _workspace, _run: {"audit": "id-1"})], any_workspace).run_next()
    assert look(any_workspace, job_id).result == {"audit": "id-1"}


def test_the_long_job_of_one_worker_keeps_no_job_of_another_waiting(workspace: Workspace) -> None:
    long, short = queue(workspace, "long", step_seconds=0.02), queue(workspace)
    with running_worker(workspace, [of_kind("long", count_up)], workspace), running_worker(workspace, [COUNT], workspace):
        wait_for(lambda: look(workspace, short).state == "done")
        assert look(workspace, long).state in {"queued", "running"}


def work_in_a_process(settings: Settings) -> None:
    workspace = open_workspace(settings)
    worker = JobWorker(workspace, [COUNT], workspace)
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
    with running_worker(any_workspace, [COUNT], any_workspace):
        wait_for(lambda: look(any_workspace, job_id).state == "done")
    assert time.monotonic() - began < LEASE.total_seconds() + STEPS * 0.05 + 10
    assert look(any_workspace, job_id).done == STEPS
