"""Lanes: jobs of one run one at a time, whoever asks; jobs of others do not wait for them, on both databases."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from shared.jobs.kind import JobKind
from shared.jobs.run import JobRun
from shared.jobs.worker import JobWorker, running_worker
from shared.records.jobs import Job, add_job, claim_job, write_job
from shared.workspace import Workspace

LEASE = timedelta(seconds=30)
WAIT_SECONDS = 20.0


def queue(workspace: Workspace, *lanes: str | None) -> list[str]:
    with workspace.writing() as session:
        return [add_job(session, "send", {}, lane).id for lane in lanes]


def claim(workspace: Workspace, worker: str = "w", lease: timedelta = LEASE) -> Job | None:
    with workspace.writing() as session:
        return claim_job(session, worker, ["send"], lease)


def test_a_lane_has_one_job_at_a_time_the_oldest_first(any_workspace: Workspace) -> None:
    first, second, other, free = queue(any_workspace, "a", "a", "b", None)
    claimed = [claim(any_workspace) for _ in range(4)]
    assert [job and job.id for job in claimed] == [first, other, free, None]
    with any_workspace.writing() as session:
        assert write_job(session, first, "w", state="done")
    following = claim(any_workspace)
    assert following is not None
    assert following.id == second


def test_a_lane_whose_holder_is_gone_goes_on_with_the_same_job(any_workspace: Workspace) -> None:
    first, _ = queue(any_workspace, "a", "a")
    for worker in ("killed", "next", "third"):
        # A lease of nothing is one that ran out, as after a kill.
        job = claim(any_workspace, worker, timedelta(0))
        assert job is not None
        assert (job.id, job.worker) == (first, worker)


def test_of_many_that_ask_at_once_one_gets_the_lane(any_workspace: Workspace) -> None:
    queue(any_workspace, *["a"] * 8)
    with ThreadPoolExecutor(8) as pool:
        claimed = list(pool.map(lambda number: claim(any_workspace, f"w{number}"), range(8)))
    assert sum(job is not None for job in claimed) == 1


def test_a_worker_runs_lanes_side_by_side_and_no_more_than_it_may(any_workspace: Workspace) -> None:
    queue(any_workspace, "a", "a", "a", "b", "b", "c", "c", "d")
    lock, go_on = threading.Lock(), threading.Event()
    now: list[str] = []
    together: list[list[str]] = []

    def send(_workspace: Workspace, run: JobRun) -> None:
        with lock:
            now.append(run.job.lane or "")
            together.append(sorted(now))
        go_on.wait(WAIT_SECONDS)
        with lock:
            now.remove(run.job.lane or "")

    kinds = [JobKind("send", "items:write", "items:read", send)]
    with running_worker(any_workspace, kinds, any_workspace, at_once=3):
        _wait_until(lambda: len(now) == 3)
        time.sleep(0.2)  # a fourth would have begun by now
        assert now == ["a", "b", "c"]
        go_on.set()
        _wait_until(lambda: len(together) == 8 and not now)
    assert max(map(len, together)) <= 3
    assert all(len({*lanes}) == len(lanes) for lanes in together)
    assert not JobWorker(any_workspace, kinds, any_workspace).run_next()


def _wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)
