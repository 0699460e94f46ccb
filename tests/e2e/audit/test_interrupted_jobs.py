"""A check of archival links whose process is killed with -9 goes on where it was: every item looked at and recorded once."""

import ipaddress
import multiprocessing
import os
import signal
import time
from collections import Counter
from typing import Any

from sqlmodel import select

from services.ingest.archive.jobs import ARCHIVE_JOBS, VERIFICATION
from shared.jobs.worker import JobWorker, running_worker
from shared.ledger.verify import verify_log
from shared.records.items import Item
from shared.records.jobs import Job, add_job, load_job
from shared.settings import Settings
from shared.workspace import Workspace, open_workspace
from tests.support.factories import png, register
from tests.support.ingest_client import entries_after
from tests.support.web_server import LOOPBACK, Page, web_server

ITEMS = 24
WAIT_SECONDS = 60.0


def work(settings: Settings) -> None:
    workspace = open_workspace(settings)
    worker = JobWorker(workspace, ARCHIVE_JOBS, workspace)
    while True:
        worker.run_next()
        time.sleep(0.02)


def look(workspace: Workspace, job_id: str) -> Job:
    with workspace.reading() as session:
        return load_job(session, job_id)


def wait_for(workspace: Workspace, job_id: str, *, done: int = 0, state: str = "running") -> Job:
    deadline = time.monotonic() + WAIT_SECONDS
    while (job := look(workspace, job_id)).done < done or job.state != state:
        assert time.monotonic() < deadline, job
        time.sleep(0.02)
    return job


def test_a_killed_check_goes_on(any_workspace: Workspace) -> None:
    def slowly(handler: Any) -> Page:
        time.sleep(0.05)
        return Page(png(int(handler.path[1:-4])))

    with web_server(LOOPBACK) as site:
        site.anything = slowly
        allowed = {"fetch_allowed_networks": (ipaddress.ip_network("127.0.0.1/32"),), "fetch_allowed_ports": (site.port,)}
        settings = Settings(**(any_workspace.settings.model_dump() | allowed))
        workspace = open_workspace(settings)
        for number in range(ITEMS):
            link = {"original_url": site.url(f"/{number}.png", LOOPBACK)}
            register(workspace, f"{number}.png", png(number), archival_link=link)
        size = workspace.log.size
        with workspace.writing() as session:
            # Whatever was looked at before counts as well: only the job's own looking is left out on its second run.
            job_id = add_job(session, VERIFICATION, {"older_than_days": 0}).id
        process = multiprocessing.get_context("spawn").Process(target=work, args=[settings], daemon=True)
        process.start()
        wait_for(workspace, job_id, done=3)
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        assert look(workspace, job_id).done < ITEMS
        with workspace.reading() as session:
            recorded = session.exec(select(Item.source_key).where(Item.archival_state == "verified")).all()
        with running_worker(workspace, ARCHIVE_JOBS, workspace):
            job = wait_for(workspace, job_id, state="done")
        asked = Counter(site.paths())
    assert job.done in {ITEMS, ITEMS - 1}
    verified = Counter(entry.subject["item"] for entry in entries_after(workspace, size))
    assert len(verified) == ITEMS
    assert set(verified.values()) == {1}
    # What was asked for and not yet on record when the process ended is asked for again; what was on record is not.
    assert len(asked) == ITEMS
    assert len(recorded) >= 3
    assert {asked[f"/{key}"] for key in recorded} == {1}
    with workspace.reading() as session:
        assert set(session.exec(select(Item.archival_state))) == {"verified"}
    verify_log(workspace.log.folder, workspace.log.vkey)
    workspace.engine.dispose()
