"""`sleeve ingest`: bulk registration, coverage and erasure; further groups of commands stand beside what they command."""

import json
from dataclasses import asdict
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from services.ingest.archive import cli as archive_cli
from services.ingest.diligence import cli as diligence_cli
from services.ingest.lifecycle import cli as items_cli
from services.ingest.manifests import cli as manifests_cli
from services.ingest.search.cli import fingerprint, search
from services.ingest.signals import cli as signals_cli
from shared.command_line.console import console, progress
from shared.command_line.groups import in_order
from shared.command_line.options import EXIT_STATUS, AsJson
from shared.command_line.workspace import open_home
from shared.stale_files import SAFE_AGE_SECONDS, remove_leftovers

if TYPE_CHECKING:
    from services.ingest.coverage import Coverage
    from services.ingest.sources.run import RunResult
    from shared.workspace import Workspace

app = typer.Typer(
    cls=in_order("add", "status", "search", "items", "manifests", "diligence", "signals", "archive"),
    help="Record training images with their provenance.",
    epilog=f'Example: sleeve ingest add ./my-images --acquirer "Data team"\n\n{EXIT_STATUS}',
    no_args_is_help=True,
)
app.add_typer(items_cli.app, name="items")
app.add_typer(manifests_cli.app, name="manifests")
app.add_typer(diligence_cli.app, name="diligence")
app.add_typer(signals_cli.app, name="signals")
app.add_typer(archive_cli.app, name="archive")
app.command()(search)
app.command()(fingerprint)

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
    JSONL = "jsonl"


@app.callback()
def ingest() -> None:
    """Record training images with their provenance."""


@app.command()
def add(
    path: Annotated[
        Path,
        typer.Argument(
            help="Imagefolder, WebDataset tar, Parquet file, CelebA folder, croissant.json, a list of URLs, or JSON Lines."
        ),
    ],
    acquirer: Annotated[str, typer.Option(help="Who is responsible for obtaining these images.")],
    dataset: Annotated[str | None, typer.Option(help="Name of the data set; the file's or folder's name by default.")] = None,
    kind: Annotated[Kind, typer.Option(help="What the source is, where its files leave that open.")] = Kind.AUTO,
    licence: Annotated[str | None, typer.Option(help="SPDX licence of the images that state none.")] = None,
    from_start: Annotated[
        bool, typer.Option("--from-start", help="Read every row again instead of going on after an interrupted run.")
    ] = False,
    read_pages: Annotated[
        bool, typer.Option("--read-pages", help="Read the rights statements of the pages that a list of URLs names, too.")
    ] = False,
) -> None:
    """Register every image of a source. Run it again after an interruption: nothing is registered twice."""
    from services.ingest.sources.kinds import open_source
    from services.ingest.sources.run import add_source
    from services.ingest.sources.source import SourceOptions
    from shared.fetching.fetcher import build_fetcher

    workspace = open_home()
    make_fetcher = partial(build_fetcher, workspace.settings)
    named = dataset or default_name(path)
    options = SourceOptions(named, acquirer, workspace.limits.max_bytes, licence, make_fetcher, read_pages)
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
    return whole.stem if whole.suffix in {".tar", ".parquet", ".csv", ".jsonl", ".ndjson"} else whole.name


def show_result(workspace: "Workspace", dataset: str, result: "RunResult") -> None:
    """Print what a run did, and the first of the rows that it refused."""
    rows, checkpoint = result.rows, workspace.log.checkpoint()
    if done := sum(result.earlier.values()):
        counts = ", ".join(f"{count:,} {state}" for state, count in sorted(result.earlier.items()))
        console.print(f"{dataset}: went on after {done:,} rows that an interrupted run had done ({counts})")
    console.print(
        f"{dataset}: {rows.created:,} registered, {rows.known:,} known before, {rows.refused:,} refused; "
        f"{result.shared_blobs:,} blobs shared by several items; "
        f"log size {checkpoint.size:,}, root {checkpoint.root.hex()[:16]}…"
    )
    console.print(f"every row's outcome: {result.status_path}")
    if rows.bad:
        table = Table("row", "code", "what is wrong", title=f"{rows.refused:,} rows refused")
        for bad in rows.bad[:SHOWN_BAD_ROWS]:
            table.add_row(bad.key, bad.error.code, bad.error.message)
        console.print(table)


@app.command()
def status(as_json: AsJson = False) -> None:
    """Show how far the input duty is fulfilled, data set by data set and in total."""
    from services.ingest.coverage import measure_coverage, total_coverage

    workspace = open_home()
    with workspace.reading() as session:
        found = measure_coverage(session)
    total = total_coverage(found)
    if as_json:
        typer.echo(json.dumps({"datasets": [asdict(one) for one in found], "total": asdict(total)}, indent=2))
        return
    table = Table("data set", "items", "owner", "acquirer", "diligence", "archival link", "link verified", "denied")
    for one in found:
        table.add_row(*build_coverage_row(one))
    table.add_section()
    table.add_row(*build_coverage_row(total))
    console.print(table)
    console.print("Shares are of active items. A search counts until it expires; a denied item is in no later manifest.")


def build_coverage_row(one: "Coverage") -> list[str]:
    """Say how far one data set is; nothing short of all is shown as 100 %.

    >>> from services.ingest.coverage import Coverage
    >>> build_coverage_row(Coverage("a", 1000, 999, 1000, 1, 0, 0, 0))[2:5]
    ['99.9%', '100%', '0.1%']
    """
    counts = (one.owner, one.acquirer, one.diligence, one.archival_link, one.archival_verified, one.denied)
    return [one.dataset, f"{one.items:,}", *(format_share(one, count) for count in counts)]


def format_share(one: "Coverage", count: int) -> str:
    """Write a share: whole per cents only for none and all."""
    if count in {0, one.items}:
        return f"{one.share(count):.0%}"
    return f"{min(max(one.share(count), 0.001), 0.999):.1%}"


@app.command()
def erase(
    party: Annotated[str, typer.Argument(help="Id of the party, as items show it for each owner.")],
    reason: Annotated[str, typer.Option(help="Why, in words that name nobody; it goes into the log.")],
) -> None:
    """Erase a person's name from the records. It cannot be undone; every proof stays valid."""
    from services.ingest.lifecycle.erasure import erase_party

    workspace = open_home()
    with workspace.writing() as session:
        deleted = erase_party(session, party, reason)
    workspace.log.integrate()
    console.print(f"erased; {deleted:,} commitments to the name can no longer be opened")


@app.command()
def tidy(
    older_than_hours: Annotated[
        float, typer.Option(min=SAFE_AGE_SECONDS / 3600, help="Leave what was written to less than so many hours ago.")
    ] = SAFE_AGE_SECONDS / 3600,
) -> None:
    """Remove the unfinished files that killed processes left in the home folder. Nothing that was recorded is touched."""
    from shared.settings import load_settings

    found = remove_leftovers(load_settings().home, older_than_hours * 3600)
    console.print(
        f"{found.removed:,} unfinished files removed, {found.removed_bytes:,} bytes; "
        f"{found.kept:,} left that are too young or whose writers live"
    )
