"""A job in a worker's hands. Its lease is renewed, its progress goes on record, and it learns when it is to stop."""

import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self

import structlog
from sqlalchemy.exc import SQLAlchemyError

from shared.clock import utc_now
from shared.errors import SleeveError
from shared.records.jobs import Job, is_held, write_job
from shared.workspace import Workspace

# A killed job goes on within this time; with the worker's next look, within the ten seconds that a restart may take.
LEASE = timedelta(seconds=6)
# Three chances before the lease runs out.
RENEW_SECONDS = 2.0

log = structlog.get_logger()


class JobStoppedError(SleeveError):
    """The worker is to stop, or another one has the job; not a failure of the job."""

    code = "job_stopped"


class JobPutOffError(SleeveError):
    """What the job waits for takes its time: it is due again then, and no failure.

    Args:
        due_at: when to go on.
    """

    code = "job_put_off"

    def __init__(self, due_at: datetime) -> None:
        super().__init__(f"put off until {due_at.isoformat()}")
        self.due_at = due_at


class JobRun:
    """A job in a worker's hands; used as a context, in which the lease is renewed.

    Args:
        workspace: where the job is on record.
        job: as claimed.
        stopping: set when the worker is to stop.
    """

    def __init__(self, workspace: Workspace, job: Job, stopping: threading.Event) -> None:
        self.job = job
        self._workspace = workspace
        self._worker = job.worker or ""
        self._stopping = stopping
        self._ended = threading.Event()
        self._renewer = threading.Thread(target=self._renew, name="job-lease", daemon=True)

    def __enter__(self) -> Self:
        self._renewer.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ended.set()
        self._renewer.join()

    def save_progress(self, done: int, total: int, counts: Mapping[str, int]) -> None:
        """Put on record how far the job is.

        Args:
            done: steps that are on record.
            total: steps of the whole job.
            counts: how many of them came to what.

        Raises:
            JobStoppedError: the worker is to stop, or has lost the job; the runner is to let this pass.
        """
        if not self.write(done=done, total=total, counts=dict(counts), attempts=0) or self._stopping.is_set():
            raise JobStoppedError(f"job {self.job.id} was stopped after {done:,} of {total:,} steps")

    def verify_wanted(self) -> None:
        """Check in the middle of a step that the job is to go on.

        Raises:
            JobStoppedError: the worker is to stop, or the job was cancelled or lost; the runner is to let this pass.
        """
        with self._workspace.reading() as session:
            held = is_held(session, self.job.id, self._worker)
        if not held or self._stopping.is_set():
            raise JobStoppedError(f"job {self.job.id} was stopped in the middle of a step")

    def write(self, **changed: Any) -> bool:
        """Change the job's columns; say whether it is still this worker's."""
        with self._workspace.writing() as session:
            return write_job(session, self.job.id, self._worker, **changed)

    def _renew(self) -> None:
        while not self._ended.wait(RENEW_SECONDS):
            try:
                self.write(lease_until=utc_now() + LEASE)
            except (SQLAlchemyError, SleeveError) as error:
                log.warning("job_lease_not_renewed", job=self.job.id, error=type(error).__name__)
