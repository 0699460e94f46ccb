"""`sleeve ingest archive`: check archival links, and keep what the originals answer."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated

import typer

from services.console import console, progress
from services.ingest.archive.jobs import JobScope, OnItem, capture_items, check_links, count_items
from services.ingest.archive.robust_link import ArchivalState
from shared.fetching.fetcher import Fetcher, build_fetcher
from shared.records.archival import DueBy
from shared.settings import load_settings
from shared.workspace import Workspace, open_workspace

app = typer.Typer(help="Check archival links, and keep what the originals answer.", no_args_is_help=True)

Job = Callable[[Workspace, JobScope, Fetcher, OnItem], Counter[ArchivalState]]
Dataset = Annotated[str | None, typer.Option(help="Items of this data set only.")]
Limit = Annotated[int | None, typer.Option(min=1, help="How many items at most.")]
Days = Annotated[
    int, typer.Option("--older-than-days", min=0, help="Leave out items that were looked at less than so many days ago.")
]


@app.command()
def verify(dataset: Dataset = None, limit: Limit = None, days: Days = 1) -> None:
    """Fetch originals and snapshots and compare their bytes with those acquired. Run it again after an interruption."""
    run_job(check_links, "archival_checked_at", "checking links", JobScope(dataset, limit, timedelta(days=days)))


@app.command()
def capture(dataset: Dataset = None, limit: Limit = None, days: Days = 1) -> None:
    """Keep what the originals answer in WARC files, and check the links by it. Run it again after an interruption."""
    run_job(capture_items, "capture_tried_at", "capturing originals", JobScope(dataset, limit, timedelta(days=days)))


def run_job(job: Job, by: DueBy, label: str, scope: JobScope) -> None:
    """Run a job over the workspace of the settings, with a bar, and print how many links are in which state."""
    workspace = open_workspace(load_settings())
    with progress() as bars:
        task = bars.add_task(label, total=count_items(workspace, scope, by))
        counts = job(workspace, scope, build_fetcher(workspace.settings), lambda _check: bars.advance(task))
    console.print(format_counts(counts))


def format_counts(counts: Counter[ArchivalState]) -> str:
    """Say how many links were found in which state.

    >>> format_counts(Counter({ArchivalState.MISSING: 1, ArchivalState.VERIFIED: 1200}))
    '1,201 links: 1,200 verified, 0 drifted, 1 missing, 0 unchecked'
    """
    by_state = ", ".join(f"{counts[state]:,} {state.value}" for state in ArchivalState)
    return f"{counts.total():,} links: {by_state}"
