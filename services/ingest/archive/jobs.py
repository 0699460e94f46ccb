"""Checks and captures as jobs: what `POST /v1/archive/verifications` and `/captures` ask for, run by the worker.

Rules, in order:

1. A job looks at what was due when it was asked for. An item that it has looked at is due no more, which is how a job that is
   run again, after its process was killed, goes on where it was.
2. Progress is recorded after each item, so a killed job looks at no more than one item beyond its `limit`.
"""

from collections import Counter
from datetime import timedelta
from functools import partial

from pydantic import Field

from services.ingest.archive.item_checks import JobScope, capture_items, check_links, count_items
from services.ingest.archive.verification import LinkCheck
from shared.fetching.fetcher import build_fetcher
from shared.jobs.kind import JobKind
from shared.jobs.run import JobRun
from shared.records.archival import DueBy
from shared.schemas import StrictModel, Text
from shared.workspace import Workspace

VERIFICATION, CAPTURE = "archive.verification", "archive.capture"


class ArchiveRequest(StrictModel):
    """Which items a job is to look at."""

    dataset: Text | None = Field(default=None, description="Items of this data set only.")
    limit: int | None = Field(default=None, strict=True, ge=1, description="How many items at most.")
    older_than_days: int = Field(
        default=1, strict=True, ge=0, le=36_500, description="Leave out items that were looked at less than so many days ago."
    )


def run_archive_job(workspace: Workspace, run: JobRun, *, by: DueBy) -> None:
    """Check the links of the items that a job is about, or capture their originals.

    Raises:
        UnavailableError: the database is down.
        JobStoppedError: the worker is to stop.
    """
    request = ArchiveRequest.model_validate(run.job.request)
    done, counts = run.job.done, Counter(run.job.counts)
    left = None if request.limit is None else request.limit - done
    if left is not None and left <= 0:
        return
    scope = JobScope(request.dataset, left, timedelta(days=request.older_than_days), run.job.created_at)
    total = done + count_items(workspace, scope, by)
    run.save_progress(done, total, counts)

    def on_item(check: LinkCheck) -> None:
        nonlocal done
        done += 1
        counts[check.state.value] += 1
        run.save_progress(done, max(done, total), counts)

    look = check_links if by == "archival_checked_at" else capture_items
    look(workspace, scope, build_fetcher(workspace.settings), on_item)


ARCHIVE_JOBS = (
    JobKind(VERIFICATION, "items:write", "items:read", partial(run_archive_job, by="archival_checked_at")),
    JobKind(CAPTURE, "items:write", "items:read", partial(run_archive_job, by="capture_tried_at")),
)
