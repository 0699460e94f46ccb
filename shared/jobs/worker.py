"""The worker: a thread that runs queued jobs, one after another or a few at once, beside a server's other work.

Rules, in order:

1. A runner may be called several times for one job. Each step is recorded by itself, and a runner that is called again goes on
   behind the recorded steps. So a process may be killed at any point.
2. While a job runs, a thread of its own renews its lease. A job whose process is gone is due again when the lease runs out.
3. A worker that is told to stop gives its job back at the next step. A job fails when its runner raises, or when it is claimed
   again and again without getting on. A runner that has to wait for the world puts its job off, and holds no worker.
4. A job that is cancelled while it runs stops at its next step as well, and stays cancelled.
5. A worker may run several jobs at once, each in a thread of its own. Jobs of one lane (`shared.records.jobs`) never run at
   once.
6. No transaction is open while a runner waits for the world, so no request waits for a job.

docs/adr/0007-jobs-in-our-own-table.md says why no framework is used.
"""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any, Generic

import structlog
from sqlalchemy.exc import SQLAlchemyError

from shared.auth.caller import author_of_key
from shared.clock import utc_now
from shared.errors import SleeveError, UnavailableError
from shared.ids import new_id
from shared.jobs.kind import Context, JobKind
from shared.jobs.run import LEASE, JobPutOffError, JobRun, JobStoppedError
from shared.ledger.authorship import OPERATOR, Author, writing_for
from shared.records.api_keys import load_key
from shared.records.jobs import Job, claim_job, has_due_job
from shared.workspace import Workspace

# How often a worker without a job looks for one; one read of an indexed column.
LOOK_SECONDS = 0.5
# How long a server that ends waits for the step in hand.
STOP_SECONDS = 5.0
# A job that ended its process or lost its database so often without a step in between will do so again.
MAX_ATTEMPTS = 5

log = structlog.get_logger()


class JobWorker(Generic[Context]):
    """Runs the jobs of some kinds.

    Args:
        workspace: whose jobs.
        kinds: which jobs it runs.
        context: what they work on: the workspace, or what is open over it.
        at_once: how many jobs run at the same time, at most.
    """

    def __init__(self, workspace: Workspace, kinds: Iterable[JobKind[Context]], context: Context, at_once: int = 1) -> None:
        self._workspace = workspace
        self._kinds = {kind.name: kind for kind in kinds}
        self._context = context
        self._name = new_id()
        self._stopping = threading.Event()
        self._free = threading.Semaphore(at_once)
        self._running: set[threading.Thread] = set()
        # A daemon: a process that is told to end does not wait for a fetch that hangs.
        self._thread = threading.Thread(target=self._work, name="jobs", daemon=True)

    def start(self) -> None:
        """Begin to run jobs, in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Give back the job in hand and end; what takes longer than `STOP_SECONDS` is given up, and its lease runs out."""
        self._stopping.set()
        until = monotonic() + STOP_SECONDS
        self._thread.join(STOP_SECONDS)
        for thread in list(self._running):
            thread.join(max(until - monotonic(), 0.0))

    def run_next(self) -> bool:
        """Run the oldest job that is due; say whether there was one.

        Raises:
            UnavailableError: the database is down.
        """
        job = self._claim()
        if job is None:
            return False
        self._run_claimed(job)
        return True

    def _run_claimed(self, job: Job) -> None:
        with JobRun(self._workspace, job, self._stopping) as run:
            run.write(**self._run(run))

    def _claim(self) -> Job | None:
        with self._workspace.reading() as session:
            if not has_due_job(session, list(self._kinds)):
                return None
        with self._workspace.writing() as session:
            return claim_job(session, self._name, list(self._kinds), LEASE)

    def _run(self, run: JobRun) -> dict[str, Any]:
        """Run a job and return what is to be put on record of it.

        Raises:
            UnavailableError: the database is down.
        """
        if run.job.attempts > MAX_ATTEMPTS:
            return _failed("job_gave_up", f"claimed {MAX_ATTEMPTS} times without a step done")
        try:
            with writing_for(self._find_author(run.job)):
                result = self._kinds[run.job.kind].run(self._context, run)
        except JobStoppedError:
            return {"state": "queued", "worker": None, "lease_until": None}
        except JobPutOffError as error:
            # It got on: what it waits for is not its fault, however often.
            return {"state": "queued", "worker": None, "lease_until": None, "due_at": error.due_at, "attempts": 0}
        except UnavailableError:
            raise  # nothing is wrong with the job: it is due again when its lease has run out
        except SleeveError as error:
            return _failed(error.code, error.message)
        except Exception as error:  # A defect of one job must not end the worker of all; it is on record and in the log.
            log.exception("job_failed", job=run.job.id, kind=run.job.kind)
            return _failed("job_defect", f"{type(error).__name__} while running the job")
        ids = dict(result) if result else None
        return {"state": "done", "worker": None, "lease_until": None, "finished_at": utc_now(), "result": ids}

    def _find_author(self, job: Job) -> Author:
        """Return whom the log names for what a job does: the key that asked for it, in the role that it has."""
        if not job.key_id:
            return OPERATOR
        with self._workspace.reading() as session:
            return author_of_key(job.key_id, load_key(session, job.key_id).party_id)

    def _work(self) -> None:
        while not self._stopping.is_set():
            if not self._free.acquire(timeout=LOOK_SECONDS):
                continue  # everyone is busy
            if not self._start_next():
                self._free.release()
                self._stopping.wait(LOOK_SECONDS)

    def _start_next(self) -> bool:
        """Begin to run the oldest job that is due in a thread of its own; say whether there was one."""
        try:
            job = self._claim()
        except (SQLAlchemyError, SleeveError) as error:
            log.warning("job_worker_waits", error=type(error).__name__)
            return False
        if job is None:
            return False
        # A daemon, as above; a pool of the standard library would be waited for.
        thread = threading.Thread(target=self._run_aside, args=(job,), name="job", daemon=True)
        self._running.add(thread)
        thread.start()
        return True

    def _run_aside(self, job: Job) -> None:
        try:
            self._run_claimed(job)
        except (SQLAlchemyError, SleeveError) as error:
            # The database may come back; the job in hand is due again when its lease has run out.
            log.warning("job_worker_waits", error=type(error).__name__)
            self._stopping.wait(LOOK_SECONDS)
        finally:
            self._running.discard(threading.current_thread())
            self._free.release()


@contextmanager
def running_worker(
    workspace: Workspace, kinds: Iterable[JobKind[Context]], context: Context, at_once: int = 1
) -> Iterator[None]:
    """Run a worker until the block ends; see `JobWorker`."""
    worker = JobWorker(workspace, kinds, context, at_once)
    worker.start()
    try:
        yield
    finally:
        worker.stop()


def _failed(code: str, message: str) -> dict[str, Any]:
    return {
        "state": "failed",
        "worker": None,
        "lease_until": None,
        "finished_at": utc_now(),
        "error_code": code,
        "error_message": message,
    }
