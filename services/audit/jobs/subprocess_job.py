"""Work of a job in a process of its own, followed by the worker's thread: the server stays free for requests.

Rules, in order:

1. The process is started afresh (spawned), brings what it needs itself, and gives way to the server for processor time.
2. What it says of its progress goes on record at most once a second, and only where it is beyond what is on record: a job that
   dies over and over at the same place is given up like any other.
3. When the job is stopped, cancelled or lost, the process is ended. When the server ends in any way, SIGKILL included, the
   process ends itself. What it has written by then is whole, and the next run goes on from there.
4. An expected failure is the job's. A process that was killed, for want of memory say, says nothing about the job: it is due
   again. One that ends by a defect fails the job.

Why not in the server's own process: docs/adr/0016-heavy-jobs-run-apart.md.
"""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from services.audit.processes.parent_process import end_with_parent
from shared.errors import SleeveError, UnavailableError
from shared.jobs.run import JobRun
from shared.settings import Settings
from shared.workspace import Workspace, open_workspace

# How long a job that says nothing may go on after it was cancelled.
POLL_SECONDS = 0.5
RECORD_SECONDS = 1.0
# A process that does not end when told so is killed; it holds nothing that a kill could harm.
END_SECONDS = 5.0
# Of 19: requests come first on a machine that is busy with a job (setpriority(2)).
NICENESS = 5

# Told how far the work is: steps done, steps in all, and how many came to what.
Tell = Callable[[int, int, Mapping[str, int]], None]
# Does the work of a request, in the process; called again after a kill. Returns ids of what came of it.
Work = Callable[[Workspace, dict[str, Any], Tell], dict[str, str]]


@dataclass(frozen=True)
class _Progress:
    done: int
    total: int
    counts: Mapping[str, int]


@dataclass(frozen=True)
class _Finished:
    result: dict[str, str]


@dataclass(frozen=True)
class _Failed:
    error: SleeveError


class ProcessDefectError(Exception):
    """The process of a job ended by an error that nobody expected; its own output has the traceback."""


def run_apart(work: Work) -> Callable[[Workspace, JobRun], Mapping[str, str]]:
    """Build the runner of jobs whose work is done in a process of its own.

    Args:
        work: a function of a module, so that the process can import it; what is heavy it imports itself.
    """
    return partial(_run, work=work)


def _run(workspace: Workspace, run: JobRun, *, work: Work) -> Mapping[str, str]:
    """Start the process and follow it.

    Raises:
        JobStoppedError: the job is to stop; its process was ended.
        SleeveError: what the work met.
        UnavailableError: the process was killed.
    """
    with _process(workspace.settings, work, run.job.request) as (process, news):
        record = _Record(run)
        while True:
            if not news.poll(POLL_SECONDS):
                run.verify_wanted()
                continue
            try:
                one = news.recv()
            except EOFError:
                raise _ended(process) from None
            if isinstance(one, _Failed):
                raise one.error
            if isinstance(one, _Finished):
                record.save()
                return one.result
            record.take(one)


class _Record:
    """What the process said last, and when something was last put on record."""

    def __init__(self, run: JobRun) -> None:
        self._run = run
        self._saved = run.job.done
        self._latest: _Progress | None = None
        self._looked = -RECORD_SECONDS

    def take(self, progress: _Progress) -> None:
        self._latest = progress
        if time.monotonic() - self._looked >= RECORD_SECONDS:
            self.save()

    def save(self) -> None:
        self._looked = time.monotonic()
        if self._latest is None or self._latest.done <= self._saved:
            self._run.verify_wanted()
            return
        self._run.save_progress(self._latest.done, self._latest.total, self._latest.counts)
        self._saved = self._latest.done


@contextmanager
def _process(settings: Settings, work: Work, request: dict[str, Any]) -> Iterator[tuple[Any, Any]]:
    # Spawned, not forked: a fork of a process with running threads (torch, databases) may never come to life.
    context = multiprocessing.get_context("spawn")
    news, tell = context.Pipe(duplex=False)
    # No daemon: work may start processes of its own.
    process = context.Process(target=_work, args=(settings, work, request, tell), daemon=False)
    try:
        process.start()
        tell.close()  # its end is the process's alone, so that the pipe ends with the process
        yield process, news
    finally:
        process.terminate()
        process.join(END_SECONDS)
        if process.exitcode is None:
            process.kill()
            process.join()
        news.close()


def _ended(process: Any) -> Exception:
    process.join()
    if process.exitcode is not None and process.exitcode < 0:
        return UnavailableError(f"the job's process was killed by signal {-process.exitcode}", code="worker_died")
    return ProcessDefectError(f"the job's process ended with status {process.exitcode}")


def _work(settings: Settings, work: Work, request: dict[str, Any], news: Any) -> None:
    # Ctrl-C reaches the whole group; the server ends this process when it ends its jobs.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(NICENESS)
    end_with_parent()
    try:
        result = work(open_workspace(settings), request, lambda *said: news.send(_Progress(*said)))
    except SleeveError as error:
        news.send(_Failed(error))
    else:
        news.send(_Finished(result))
