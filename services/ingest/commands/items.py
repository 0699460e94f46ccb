"""`sleeve ingest items`: what is on record of items, and changes to it."""

import json
from typing import Annotated, Any

import typer
from rich.table import Table

from services.ingest.items.answers import build_item_answer
from services.ingest.items.schemas import ItemAnswer
from services.ingest.items.service import build_history, page_of_items
from services.ingest.lifecycle.schemas import Amendment, Withdrawal
from services.ingest.lifecycle.service import amend_item, withdraw_item
from shared.command_line.console import console, show_page
from shared.command_line.options import EXIT_STATUS, AsJson, Cursor, Limit, build_request, show_json
from shared.command_line.workspace import open_home
from shared.errors import InputError
from shared.http.paging import PageRequest
from shared.records.items import load_item

app = typer.Typer(help="Show items, amend their records, withdraw them.", epilog=EXIT_STATUS, no_args_is_help=True)

ItemId = Annotated[str, typer.Argument(help="Id of the item.")]
Reason = Annotated[str, typer.Option(help="Why, in words that name nobody; the log commits to them.")]


@app.command("list")
def list_items(
    dataset: Annotated[str | None, typer.Option(help="Of this data set only.")] = None,
    licence: Annotated[str | None, typer.Option(help="Under this SPDX licence only.")] = None,
    sha256: Annotated[str | None, typer.Option(help="With bytes of this digest only.")] = None,
    state: Annotated[str | None, typer.Option(help="`active` or `withdrawn` only.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    as_json: AsJson = False,
) -> None:
    """List items, oldest first."""
    page = page_of_items(
        open_home(), PageRequest(cursor, limit), dataset=dataset, licence=licence, blob_sha256=sha256, state=state
    )
    if as_json:
        show_json(page)
        return
    table = Table("id", "data set", "key", "title", "licence", "presumed owners", "rights", "state")
    for item in page.items:
        owners = "; ".join(owner.name for owner in item.owners) or "none known"
        title = item.title or ""
        table.add_row(item.id, item.dataset, item.source_key, title, item.licence, owners, item.rights_verdict, item.state)
    show_page(table, page.next_cursor)


@app.command()
def show(item_id: ItemId, as_json: AsJson = False) -> None:
    """Show one item's record."""
    workspace = open_home()
    with workspace.reading() as session:
        show_item(build_item_answer(session, load_item(session, item_id)), as_json=as_json)


@app.command()
def amend(
    item_id: ItemId,
    reason: Reason,
    title: Annotated[str | None, typer.Option(help="New title.")] = None,
    licence: Annotated[str | None, typer.Option(help="New SPDX licence.")] = None,
    licence_url: Annotated[str | None, typer.Option(help="New URL of the licence.")] = None,
    snapshot_url: Annotated[str | None, typer.Option(help="New snapshot of the source.")] = None,
    version_date: Annotated[str | None, typer.Option(help="Its day, YYYY-MM-DD.")] = None,
    owner: Annotated[
        list[str] | None,
        typer.Option(
            help='A presumed owner, such as {"name": "…", "basis": "…", "confidence": 0.9}; together they replace all.'
        ),
    ] = None,
    no_owners: Annotated[bool, typer.Option("--no-owners", help="No owner is known.")] = False,
    as_json: AsJson = False,
) -> None:
    """Change what is recorded of an item; the change is a new entry, and the log keeps what was there."""
    fields: dict[str, Any] = {"reason": reason, "title": title, "licence": licence, "licence_url": licence_url}
    fields |= {"snapshot_url": snapshot_url, "version_date": version_date, "owners": parse_owners(owner, none=no_owners)}
    show_item(amend_item(open_home(), item_id, build_request(Amendment, fields)), as_json=as_json)


@app.command()
def withdraw(item_id: ItemId, reason: Reason, as_json: AsJson = False) -> None:
    """Withdraw an item: it stays on record, and no manifest that is sealed from now on can hold it."""
    withdrawal = build_request(Withdrawal, {"reason": reason})
    show_item(withdraw_item(open_home(), item_id, withdrawal), as_json=as_json)


@app.command()
def history(item_id: ItemId, as_json: AsJson = False) -> None:
    """Show everything that the log says of an item, oldest first; as JSON with receipts."""
    answer = build_history(open_home(), item_id)
    if as_json:
        show_json(answer)
        return
    table = Table("entry", "at", "type", "body")
    for entry in answer.entries:
        table.add_row(str(entry.index), entry.at, entry.type, json.dumps(entry.body, ensure_ascii=False))
    console.print(table)


def parse_owners(texts: list[str] | None, *, none: bool) -> list[Any] | None:
    """Read the owners that options name.

    Raises:
        InputError: one is no JSON, or owners are named and denied together.

    >>> parse_owners(None, none=False), parse_owners(None, none=True), parse_owners(['{"name": "A"}'], none=False)
    (None, [], [{'name': 'A'}])
    """
    if none and texts:
        raise InputError("expected either --owner or --no-owners, got both", code="invalid_request")
    try:
        return [] if none else [json.loads(text) for text in texts] if texts else None
    except ValueError as error:
        raise InputError(f"expected an owner as JSON, got {texts}", code="invalid_request") from error


def show_item(item: ItemAnswer, *, as_json: bool) -> None:
    """Print an item's record."""
    if as_json:
        show_json(item)
        return
    table = Table(show_header=False, title=f"item {item.id}")
    owners = [
        f"{owner.name} ({owner.role}, {owner.basis}, {owner.confidence:.0%}; party {owner.party_id})" for owner in item.owners
    ]
    link = item.archival_link or {}
    rows = {
        "state": item.state,
        "data set, key": f"{item.dataset} / {item.source_key}",
        "title": item.title,
        "SHA-256": item.sha256,
        "image": f"{item.media_type}, {item.width_px} × {item.height_px} px"
        + (f", the first of {item.frames:,} frames" if item.frames else ""),
        "licence": " ".join(filter(None, [item.licence, item.licence_url])),
        "acquired": " ".join(filter(None, [item.acquired_at, "by", item.acquirer, item.acquired_from])),
        "presumed owners": "\n".join(owners) + (" (contested)" if item.contested else "") or "none known",
        "source": item.source_url,
        "archival link": f"{link['state']}: {link['snapshot_url'] or 'no snapshot'}" if link else "none",
        "rights": "; ".join([item.rights_verdict, *(f"{signal.kind} {signal.verdict}" for signal in item.signals)]),
        "permission": item.training_permission,
        "diligence": "\n".join(
            f"{search.searched_at} {', '.join(search.sources)}: {search.result}{' (expired)' if search.expired else ''}"
            for search in item.diligence
        ),
    }
    for name, value in rows.items():
        table.add_row(name, value or "–")
    console.print(table)
