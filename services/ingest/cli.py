"""`sleeve ingest`: bulk registration from the command line."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from services.console import console, step_progress
from services.ingest.sources.bulk import BulkResult, register_rows
from services.ingest.sources.imagefolder import count_rows, read_imagefolder
from shared.files import save_atomically
from shared.settings import load_settings
from shared.workspace import Workspace, open_workspace

app = typer.Typer(help="Record training images with their provenance.", no_args_is_help=True)

# Bad rows shown in the terminal; all of them are in the status file.
SHOWN_BAD_ROWS = 20


@app.callback()
def ingest() -> None:
    """Record training images with their provenance."""


@app.command()
def add(
    folder: Annotated[Path, typer.Argument(help="Hugging Face imagefolder: images and metadata.jsonl or metadata.csv.")],
    acquirer: Annotated[str, typer.Option(help="Who is responsible for obtaining these images.")],
    dataset: Annotated[str | None, typer.Option(help="Name of the data set; the folder's name by default.")] = None,
) -> None:
    """Register every image of a folder. Run it again after an interruption: nothing is registered twice."""
    workspace = open_workspace(load_settings())
    name = dataset or folder.resolve().name
    total = count_rows(folder)
    rows = read_imagefolder(folder, name, acquirer, workspace.limits.max_bytes)
    done = 0
    with step_progress(f"registering {name}", total) as move:

        def on_rows(count: int) -> None:
            nonlocal done
            done += count
            move(done, total)

        result = register_rows(workspace, rows, on_rows)
    show_result(workspace, name, result)
    if result.bad:
        raise typer.Exit(1)


def show_result(workspace: Workspace, dataset: str, result: BulkResult) -> None:
    """Print what a bulk registration did, and keep its bad rows in a status file."""
    checkpoint = workspace.log.checkpoint()
    console.print(
        f"{dataset}: {result.created:,} registered, {result.known:,} known before, {len(result.bad):,} refused; "
        f"log size {checkpoint.size:,}, root {checkpoint.root.hex()[:16]}…"
    )
    if not result.bad:
        return
    status = workspace.home / "ingest" / f"{dataset.replace('/', '_')}.refused.jsonl"
    lines = [{"row": bad.key, "code": bad.error.code, "message": bad.error.message} for bad in result.bad]
    save_atomically(status, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode())
    table = Table("row", "code", "what is wrong", title=f"{len(result.bad):,} rows refused, all in {status}")
    for bad in result.bad[:SHOWN_BAD_ROWS]:
        table.add_row(bad.key, bad.error.code, bad.error.message)
    console.print(table)
