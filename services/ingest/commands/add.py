"""`sleeve ingest add`: bulk registration of a source."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from services.ingest.sources.registry import default_name, kind_names, open_source
from services.ingest.sources.run import RunResult, add_source
from services.ingest.sources.source import SourceOptions
from shared.command_line.console import console, progress, say_count
from shared.command_line.workspace import open_home
from shared.errors import InputError
from shared.fetching.fetcher import build_fetcher
from shared.workspace import Workspace

# Bad rows shown in the terminal; all of them are in the status file.
SHOWN_BAD_ROWS = 20
AUTO = "auto"
KINDS = f"[{'|'.join([AUTO, *kind_names()])}]"


def add(
    path: Annotated[
        Path,
        typer.Argument(
            help="Folder or zip of pictures, WebDataset tar, Parquet, Arrow, CelebA, croissant.json, list of URLs, JSON Lines."
        ),
    ],
    acquirer: Annotated[str, typer.Option(help="Who is responsible for obtaining these images.")],
    dataset: Annotated[str | None, typer.Option(help="Name of the data set; the file's or folder's name by default.")] = None,
    kind: Annotated[str, typer.Option(metavar=KINDS, help="What the source is, where its files leave that open.")] = AUTO,
    licence: Annotated[str | None, typer.Option(help="SPDX licence of the images that state none.")] = None,
    from_start: Annotated[
        bool, typer.Option("--from-start", help="Read every row again instead of going on after an interrupted run.")
    ] = False,
    read_pages: Annotated[
        bool, typer.Option("--read-pages", help="Read the rights statements of the pages that a list of URLs names, too.")
    ] = False,
) -> None:
    """Register every image of a source. Run it again after an interruption: nothing is registered twice.

    Exit status 1 where a row was refused, or the source holds no picture.
    """
    workspace = open_home()
    make_fetcher = partial(build_fetcher, workspace.settings)
    named = dataset or default_name(path)
    options = SourceOptions(named, acquirer, workspace.limits.max_bytes, licence, make_fetcher, read_pages)
    source = open_source(path, options, None if kind == AUTO else kind)
    with progress() as bars:
        task = bars.add_task(f"registering {options.dataset}", total=source.count())
        result = add_source(workspace, source, options, lambda count: bars.advance(task, count), from_start=from_start)
    show_result(workspace, options.dataset, result)
    if result.is_empty:
        raise InputError(f"expected pictures in {path}, got none", code="source_empty")
    if not result.is_complete:
        raise typer.Exit(1)


def show_result(workspace: Workspace, dataset: str, result: RunResult) -> None:
    """Print what a run did, and the first of the rows that it refused."""
    rows, checkpoint = result.rows, workspace.log.checkpoint()
    if done := sum(result.earlier.values()):
        counts = ", ".join(f"{count:,} {state}" for state, count in sorted(result.earlier.items()))
        console.print(f"{dataset}: went on after {done:,} rows that an interrupted run had done ({counts})")
    console.print(
        f"{dataset}: {rows.created:,} registered, {rows.known:,} known before, {rows.refused:,} refused"
        f"{_count_no_pictures(rows.no_pictures)}; {result.shared_blobs:,} blobs shared by several items; "
        f"log size {checkpoint.size:,}, root {checkpoint.root.hex()[:16]}…"
    )
    console.print(f"every row's outcome: {result.status_path}")
    if rows.codes:
        counts = ", ".join(f"{count:,} {code}" for code, count in rows.codes.most_common())
        console.print(f"refused: {counts}")
    if rows.bad:
        table = Table("row", "code", "what is wrong", title=f"{rows.refused:,} rows refused")
        for bad in rows.bad[:SHOWN_BAD_ROWS]:
            table.add_row(bad.key, bad.error.code, bad.error.message)
        console.print(table)


def _count_no_pictures(count: int) -> str:
    return f", {say_count(count, 'file that is no picture', 'files that are no pictures')}" if count else ""
