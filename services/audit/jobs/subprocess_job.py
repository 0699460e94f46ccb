"""A job in a subprocess that the worker's thread follows, so that the server stays free for requests.

Rules, in order:

1. The process is spawned, imports what it needs itself, and gives way to the server for processor time.
2. Its progress is recorded at most once a second, and only where it is beyond the progress on record. So a job that dies over
   and over at the same place is given up like any other.
3. The process is ended when the job is stopped, cancelled or lost. When the server ends in any way, SIGKILL included, the
   process ends itself. What it has written by then is whole, and the next run goes on from there.
4. An expected error fails the job. A process that was killed, for want of memory say, says nothing about the job, which is
   tried again. A process that ends by a defect fails the job.

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
from typing import Any, TypeAlias

from services.audit.processes.parent_process import end_with_parent
from shared.errors import SleeveError, UnavailableError
from shared.jobs.run import JobRun
from shared.ledger.authorship import Author, current_author, writing_for
from shared.settings import Settings
from shared.workspace import Workspace, open_workspace

# How long a job that reports nothing may go on after it was cancelled.
POLL_SECONDS = 0.5
RECORD_SECONDS = 1.0
# A process that does not end by then is killed; it holds nothing that a kill could harm.
END_SECONDS = 5.0
# Of 19: requests come first on a machine that is busy with a job (setpriority(2)).
NICENESS = 5

# Called with the steps done, the steps in all, and counts to show with the job.
JobProgressCallback: TypeAlias = Callable[[int, int, Mapping[str, int]], None]
# Carries out a request, in the subprocess; called again after a kill. Returns the ids of its results.
Task: TypeAlias = Callable[[Workspace, dict[str, Any], JobProgressCallback], dict[str, str]]


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


def run_in_subprocess(task: Task) -> Callable[[Workspace, JobRun], Mapping[str, str]]:
    """Build the runner of jobs that are carried out in a subprocess.

    Args:
        task: a function of a module, so that the process can import it; it imports heavy packages itself.
    """
    return partial(_run, task=task)


def _run(workspace: Workspace, run: JobRun, *, task: Task) -> Mapping[str, str]:
    """Start the process and follow it.

    Raises:
        JobStoppedError: the job is to stop; its process was ended.
        SleeveError: that of the task.
        UnavailableError: the process was killed.
    """
    with _process(workspace.settings, task, run.job.request, current_author()) as (process, messages):
        progress = _RecordedProgress(run)
        while True:
            if not messages.poll(POLL_SECONDS):
                run.verify_wanted()
                continue
            try:
                message = messages.recv()
            except EOFError:
                raise _build_end_error(process) from None
            if isinstance(message, _Failed):
                raise message.error
            if isinstance(message, _Finished):
                progress.save()
                return message.result
            progress.update(message)


class _RecordedProgress:
    """The latest progress of the process, and when it was last recorded."""

    def __init__(self, run: JobRun) -> None:
        self._run = run
        self._saved_steps = run.job.done
        self._latest: _Progress | None = None
        self._saved_at = -RECORD_SECONDS

    def update(self, progress: _Progress) -> None:
        self._latest = progress
        if time.monotonic() - self._saved_at >= RECORD_SECONDS:
            self.save()

    def save(self) -> None:
        self._saved_at = time.monotonic()
        if self._latest is None or self._latest.done <= self._saved_steps:
            self._run.verify_wanted()
            return
        self._run.save_progress(self._latest.done, self._latest.total, self._latest.counts)
        self._saved_steps = self._latest.done


@contextmanager
def _process(settings: Settings, task: Task, request: dict[str, Any], author: Author) -> Iterator[tuple[Any, Any]]:
    # Spawned, not forked: a fork of a process with running threads (torch, databases) may never come to life.
    context = multiprocessing.get_context("spawn")
    messages, sender = context.Pipe(duplex=False)
    # No daemon: a task may start processes of its own.
    process = context.Process(target=_carry_out, args=(settings, task, request, author, sender), daemon=False)
    try:
        process.start()
        sender.close()  # its end is the process's alone, so that the pipe ends with the process
        yield process, messages
    finally:
        process.terminate()
        process.join(END_SECONDS)
        if process.exitcode is None:
            process.kill()
            process.join()
        messages.close()


def _build_end_error(process: Any) -> Exception:
    process.join()
    if process.exitcode is not None and process.exitcode < 0:
        return UnavailableError(f"the job's process was killed by signal {-process.exitcode}", code="worker_died")
    return ProcessDefectError(f"the job's process ended with status {process.exitcode}")


def _carry_out(settings: Settings, task: Task, request: dict[str, Any], author: Author, sender: Any) -> None:
    # Ctrl-C reaches the whole group; the server ends this process when it ends its jobs.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(NICENESS)
    end_with_parent()
    try:
        with writing_for(author):
            result = task(open_workspace(settings), request, lambda *progress: sender.send(_Progress(*progress)))
    except SleeveError as error:
        sender.send(_Failed(error))
    else:
        sender.send(_Finished(result))
