"""`sleeve ingest signals`: rights signals of an item, and those that are seen later."""

import base64
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from services.ingest.signals.schemas import ItemSignals, SignalObservation
from services.ingest.signals.service import observe_signal, show_signals
from shared.command_line.console import console
from shared.command_line.options import EXIT_STATUS, AsJson, build_request, read_bytes, show_json
from shared.command_line.workspace import open_home

app = typer.Typer(help="Show rights signals, and record those seen later.", epilog=EXIT_STATUS, no_args_is_help=True)

ItemId = Annotated[str, typer.Argument(help="Id of the item.")]


@app.command("list")
def list_signals(item_id: ItemId, as_json: AsJson = False) -> None:
    """List what was seen of an item, what it says together, and what holds the item already."""
    item_signals = show_signals(open_home(), item_id)
    show_json(item_signals) if as_json else print_signals(item_signals)


@app.command()
def add(
    item_id: ItemId,
    kind: Annotated[str, typer.Argument(help="Of the statement, such as robots-txt or xmp-plus-data-mining.")],
    raw: Annotated[Path | None, typer.Option(help="File with the bytes that carry it.")] = None,
    raw_sha256: Annotated[str | None, typer.Option(help="Their digest, where they are not at hand.")] = None,
    stated: Annotated[str | None, typer.Option(help="allow, deny or unknown, where no reader can find the verdict.")] = None,
    statement: Annotated[str | None, typer.Option(help="What a stated verdict rests on, in words that name nobody.")] = None,
    url: Annotated[str | None, typer.Option(help="What it is about; the item's source URL by default.")] = None,
    user_agent: Annotated[str | None, typer.Option(help="Who fetched it; ours by default.")] = None,
    observed_at: Annotated[str | None, typer.Option(help="When it was seen, with time zone; now by default.")] = None,
    as_json: AsJson = False,
) -> None:
    """Record a signal that was seen later. The most restrictive one wins; a denial keeps the item out of later manifests."""
    fields = {
        "kind": kind,
        "raw_base64": base64.b64encode(read_bytes(raw)).decode() if raw else None,
        "raw_sha256": raw_sha256,
        "stated": stated,
        "statement": statement,
        "url": url,
        "user_agent": user_agent,
        "observed_at": observed_at,
    }
    request = build_request(SignalObservation, fields)
    answer = observe_signal(open_home(), item_id, request)
    show_json(answer) if as_json else print_signals(answer)


def print_signals(answer: ItemSignals) -> None:
    """Print an item's signals and what holds it."""
    table = Table("seen", "kind", "verdict", "basis", "SHA-256 of the bytes")
    for signal in answer.signals:
        table.add_row(signal.observed_at, signal.kind, signal.verdict, signal.basis, signal.raw_sha256)
    console.print(table)
    console.print(f"together: {answer.rights_verdict}")
    if answer.manifests:
        console.print(f"manifests that hold the item: {', '.join(manifest.name for manifest in answer.manifests)}")
    if answer.models:
        console.print(f"models trained on it: {', '.join(model.name for model in answer.models)}")
