"""`sleeve ingest`: bulk registration from the command line."""

from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from services.console import console, progress
from services.ingest.archive import cli as archive_cli
from services.ingest.coverage import measure_coverage
from services.ingest.lifecycle.erasure import erase_party
from services.ingest.sources.rows import SourceOptions
from services.ingest.sources.run import RunResult, add_source
from services.ingest.sources.source import open_source
from shared.fetching.fetcher import build_fetcher
from shared.settings import load_settings
from shared.workspace import Workspace, open_workspace

app = typer.Typer(help="Record training images with their provenance.", no_args_is_help=True)
app.add_typer(archive_cli.app, name="archive")

# Bad rows shown in the terminal; all of them are in the status file.
SHOWN_BAD_ROWS = 20


class Kind(StrEnum):
    """What `--kind` takes."""

    AUTO = "auto"
    IMAGEFOLDER = "imagefolder"
    WEBDATASET = "webdataset"
    PARQUET = "parquet"
    CELEBA = "celeba"
    CROISSANT = "croissant"
    URL_LIST = "url_list"


@app.callback()
def ingest() -> None:
    """Record training images with their provenance."""


@app.command()
def add(
    path: Annotated[
        Path,
        typer.Argument(
            help="Imagefolder, WebDataset tar, Parquet file, CelebA folder, a folder with croissant.json, or a list of URLs."
        ),
    ],
    acquirer: Annotated[str, typer.Option(help="Who is responsible for obtaining these images.")],
    dataset: Annotated[str | None, typer.Option(help="Name of the data set; the file's or folder's name by default.")] = None,
    kind: Annotated[Kind, typer.Option(help="What the source is, where its files leave that open.")] = Kind.AUTO,
    licence: Annotated[str | None, typer.Option(help="SPDX licence of the images that state none.")] = None,
    from_start: Annotated[
        bool, typer.Option("--from-start", help="Read every row again instead of going on after an interrupted run.")
    ] = False,
) -> None:
    """Register every image of a source. Run it again after an interruption: nothing is registered twice."""
    workspace = open_workspace(load_settings())
    make_fetcher = partial(build_fetcher, workspace.settings)
    options = SourceOptions(dataset or default_name(path), acquirer, workspace.limits.max_bytes, licence, make_fetcher)
    source = open_source(path, options, None if kind is Kind.AUTO else kind.value)
    with progress() as bars:
        task = bars.add_task(f"registering {options.dataset}", total=source.count())
        result = add_source(workspace, source, options, lambda count: bars.advance(task, count), from_start=from_start)
    show_result(workspace, options.dataset, result)
    if not result.is_complete:
        raise typer.Exit(1)


def default_name(path: Path) -> str:
    """Name a data set after its folder or file.

    >>> default_name(Path("/data/icons.tar"))
    'icons'
    """
    whole = path.resolve()
    if whole.name == "croissant.json":
        return whole.parent.name
    return whole.stem if whole.suffix in {".tar", ".parquet", ".csv"} else whole.name


def show_result(workspace: Workspace, dataset: str, result: RunResult) -> None:
    """Print what a run did, and the first of the rows that it refused."""
    rows, checkpoint = result.rows, workspace.log.checkpoint()
    if done := sum(result.earlier.values()):
        counts = ", ".join(f"{count:,} {state}" for state, count in sorted(result.earlier.items()))
        console.print(f"{dataset}: went on after {done:,} rows that an interrupted run had done ({counts})")
    console.print(
        f"{dataset}: {rows.created:,} registered, {rows.known:,} known before, {len(rows.bad):,} refused; "
        f"{result.shared_blobs:,} blobs shared by several items; "
        f"log size {checkpoint.size:,}, root {checkpoint.root.hex()[:16]}…"
    )
    console.print(f"every row's outcome: {result.status_path}")
    if rows.bad:
        table = Table("row", "code", "what is wrong", title=f"{len(rows.bad):,} rows refused")
        for bad in rows.bad[:SHOWN_BAD_ROWS]:
            table.add_row(bad.key, bad.error.code, bad.error.message)
        console.print(table)


@app.command()
def status() -> None:
    """Show how far the input duty is fulfilled, data set by data set."""
    workspace = open_workspace(load_settings())
    with workspace.reading() as session:
        found = measure_coverage(session)
    table = Table("data set", "items", "owner", "diligence", "archival link", "verified", "denied")
    for one in found:
        counts = (one.owner, one.diligence, one.archival_link, one.archival_verified, one.denied)
        table.add_row(one.dataset, f"{one.items:,}", *(f"{one.share(count):.0%}" for count in counts))
    console.print(table)
    console.print("Shares are of active items. Every item has an acquirer and a licence; a denied one is in no manifest.")


@app.command()
def erase(
    party: Annotated[str, typer.Argument(help="Id of the party, as items show it for each owner.")],
    reason: Annotated[str, typer.Option(help="Why, in words that name nobody; it goes into the log.")],
) -> None:
    """Erase a person's name from the records. It cannot be undone; every proof stays valid."""
    workspace = open_workspace(load_settings())
    with workspace.writing() as session:
        deleted = erase_party(session, party, reason)
    workspace.log.integrate()
    console.print(f"erased; {deleted:,} commitments to the name can no longer be opened")
