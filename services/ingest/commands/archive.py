"""`sleeve ingest archive`: check archival links, keep what the originals answer, and show how the links stand."""

import json
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Annotated

import typer
from rich.table import Table

from services.ingest.archive.item_checks import JobScope, OnItem, capture_items, check_links, count_items
from services.ingest.archive.robust_link import ArchivalState
from services.ingest.archive.snapshots import KEPT, build_snapshot_taker
from services.ingest.archive.states import count_states
from shared.command_line.console import console, progress
from shared.command_line.options import EXIT_STATUS, AsJson, show_json
from shared.command_line.terminal_text import echo
from shared.command_line.workspace import open_home
from shared.errors import NotFoundError
from shared.fetching.fetcher import Fetcher, build_fetcher
from shared.records.archival import DueBy
from shared.settings import load_settings
from shared.workspace import Workspace

Job = Callable[[Workspace, JobScope, Fetcher, OnItem], Counter[ArchivalState]]

app = typer.Typer(help="Check archival links, and keep what the originals answer.", epilog=EXIT_STATUS, no_args_is_help=True)

Dataset = Annotated[str | None, typer.Option(help="Items of this data set only.")]
Limit = Annotated[int | None, typer.Option(min=1, help="How many items at most.")]
Days = Annotated[
    int, typer.Option("--older-than-days", min=0, help="Leave out items that were looked at less than so many days ago.")
]

Wayback = Annotated[
    bool, typer.Option("--wayback", help="Also ask the Wayback Machine for snapshots; this publishes the originals' URLs.")
]


@app.command()
def verify(dataset: Dataset = None, limit: Limit = None, days: Days = 1, as_json: AsJson = False) -> None:
    """Fetch originals and snapshots and compare their bytes with those acquired. Run it again after an interruption."""
    scope = JobScope(dataset, limit, timedelta(days=days))
    show_counts(run_job(check_links, "archival_checked_at", "checking links", scope, quiet=as_json), as_json=as_json)


@app.command()
def capture(
    dataset: Dataset = None, limit: Limit = None, days: Days = 1, *, wayback: Wayback = False, as_json: AsJson = False
) -> None:
    """Keep what the originals answer in WARC files, and check the links by it. Run it again after an interruption."""
    snapshots = build_snapshot_taker(load_settings()) if wayback else None
    job = partial(capture_items, snapshots=snapshots)
    scope = JobScope(dataset, limit, timedelta(days=days))
    counts = run_job(job, "capture_tried_at", "capturing originals", scope, quiet=as_json)
    show_counts(counts, snapshots.counts if snapshots is not None else None, as_json=as_json)


@app.command()
def states(dataset: Dataset = None, as_json: AsJson = False) -> None:
    """Count the archival links of active items by what their last check found."""
    workspace = open_home()
    _verify_dataset(workspace, dataset)
    with workspace.reading() as session:
        totals = count_states(session, dataset)
    if as_json:
        show_json(totals)
        return
    table = Table("items", "verified", "drifted", "missing", "unchecked", "without a link")
    counts = (
        totals.items,
        totals.verified,
        totals.drifted,
        totals.missing,
        totals.unchecked,
        totals.unlinked,
    )
    table.add_row(*(f"{count:,}" for count in counts))
    console.print(table)


def run_job(job: Job, by: DueBy, label: str, scope: JobScope, *, quiet: bool) -> Counter[ArchivalState]:
    """Run a job over the workspace of the settings, with a bar unless it is to be quiet."""
    workspace = open_home()
    _verify_dataset(workspace, scope.dataset)
    fetcher = build_fetcher(workspace.settings)
    if quiet:
        return job(workspace, scope, fetcher, lambda _check: None)
    with progress() as bars:
        task = bars.add_task(label, total=count_items(workspace, scope, by))
        return job(workspace, scope, fetcher, lambda _check: bars.advance(task))


def _verify_dataset(workspace: Workspace, dataset: str | None) -> None:
    """Check that a data set that is named is there: what is done to nothing is no success.

    Raises:
        NotFoundError: it has no active item.
    """
    with workspace.reading() as session:
        if dataset is not None and not count_states(session, dataset).items:
            raise NotFoundError(f"no data set {dataset!r} with active items", code="dataset_not_found")


def show_counts(counts: Counter[ArchivalState], snapshots: Counter[str] | None = None, *, as_json: bool) -> None:
    """Print how many links are in which state, and what became of snapshots where any were asked for."""
    if as_json:
        answer = {"states": {state.value: counts[state] for state in ArchivalState}, "snapshots": snapshots}
        echo(json.dumps(answer, indent=2))
        return
    console.print(format_counts(counts))
    if snapshots is not None:
        console.print(format_snapshots(snapshots))


def format_counts(counts: Counter[ArchivalState]) -> str:
    """Say how many links were found in which state.

    >>> format_counts(Counter({ArchivalState.MISSING: 1, ArchivalState.VERIFIED: 1200}))
    '1,201 links: 1,200 verified, 0 drifted, 1 missing, 0 unchecked'
    """
    by_state = ", ".join(f"{counts[state]:,} {state.value}" for state in ArchivalState)
    return f"{counts.total():,} links: {by_state}"


def format_snapshots(counts: Counter[str]) -> str:
    """Say how many snapshots were kept, and why others were not.

    >>> format_snapshots(Counter(kept=12, wayback_failed=2))
    '12 snapshots kept; not kept: 2 wayback_failed'
    >>> format_snapshots(Counter())
    '0 snapshots kept'
    """
    failed = ", ".join(f"{count:,} {code}" for code, count in sorted(counts.items()) if code != KEPT)
    return f"{counts[KEPT]:,} snapshots kept" + (f"; not kept: {failed}" if failed else "")
