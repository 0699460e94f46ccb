"""A job of checks whose process is killed with -9 goes on where it was: every image decided once, on both databases."""

import multiprocessing
import os
import signal
import time

from sqlmodel import func, select

from services.output_gate.checks.batches import CHECK_JOBS, queue_checks
from services.output_gate.checks.submission import SubmittedImage
from services.output_gate.completeness.count import CompletenessCount
from services.output_gate.opening import open_gate
from shared.jobs.worker import JobWorker, running_worker
from shared.records.batches import load_batch
from shared.records.checks import Check
from shared.records.jobs import load_job
from shared.settings import Settings
from shared.workspace import Workspace, open_workspace
from tests.e2e.audit.test_interrupted_jobs import wait_for
from tests.support.factories import png

IMAGES = 150


def work(settings: Settings) -> None:
    workspace = open_workspace(settings)
    gate = open_gate(workspace)
    worker = JobWorker(workspace, CHECK_JOBS, gate)
    while True:
        worker.run_next()
        time.sleep(0.02)


def test_a_killed_job_of_checks_goes_on_and_decides_nothing_twice(any_audited_workspace: Workspace) -> None:
    workspace = any_audited_workspace
    images = [SubmittedImage(f"{number}.png", png(20_000 + number)) for number in range(IMAGES)]
    job_id = queue_checks(workspace, "model-a", images, "killed").id
    process = multiprocessing.get_context("spawn").Process(target=work, args=[workspace.settings], daemon=True)
    process.start()
    wait_for(workspace, job_id, done=1)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    with workspace.reading() as session:
        decided = session.exec(select(func.count()).select_from(Check)).one()
        assert decided < IMAGES
        assert load_job(session, job_id).state == "running"
    gate = open_gate(workspace)
    try:
        with running_worker(workspace, CHECK_JOBS, gate):
            job = wait_for(workspace, job_id, state="done")
    finally:
        gate.close()
    with workspace.reading() as session:
        places = load_batch(session, job_id)
        made = set(session.exec(select(Check.id)).all())
    assert (job.done, sum(job.counts.values())) == (IMAGES, IMAGES)
    assert {place.check_id for place in places} == made
    assert len(made) == IMAGES
    assert CompletenessCount(workspace).bring_up().is_complete
