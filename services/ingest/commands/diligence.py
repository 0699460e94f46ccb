"""`sleeve ingest diligence`: searches for owners."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from services.ingest.diligence.schemas import OwnerSearchOfMany
from services.ingest.diligence.service import record_owner_search, show_item_searches
from shared.command_line.console import console
from shared.command_line.options import EXIT_STATUS, AsJson, build_request, read_lines, show_json
from shared.command_line.workspace import open_home

app = typer.Typer(help="Record searches for the owners of items.", epilog=EXIT_STATUS, no_args_is_help=True)


@app.command()
def add(
    searched_by: Annotated[str, typer.Option(help="Who searched; the log holds a salted commitment to the name.")],
    searched_at: Annotated[str, typer.Option(help="When, with time zone: 2026-03-01T10:00:00Z.")],
    source: Annotated[list[str], typer.Option(help="What was searched; to be given once for each source.")],
    work_category: Annotated[
        str, typer.Option(help="fine_art, photography, illustration, design, architecture, sketch or other_visual.")
    ],
    result: Annotated[str, typer.Option(help="owner_located, owner_identified, owner_not_found or inconclusive.")],
    item: Annotated[list[str] | None, typer.Argument(help="Ids of the items.")] = None,
    items_file: Annotated[Path | None, typer.Option(help="File with further ids, one a line.")] = None,
    query: Annotated[str | None, typer.Option(help="What was searched for.")] = None,
    jurisdiction: Annotated[str | None, typer.Option(help="Whose law the search is to satisfy, such as DE.")] = None,
    note: Annotated[str | None, typer.Option(help="What was found, in words.")] = None,
    expires_at: Annotated[str | None, typer.Option(help="From when on the search no longer counts.")] = None,
    as_json: AsJson = False,
) -> None:
    """Record one search for the owner of one or many items: an entry each, all of them or none."""
    fields = {
        "items": [*(item or []), *(read_lines(items_file) if items_file else [])],
        "sources": source,
        "query": query,
        "searched_by": searched_by,
        "searched_at": searched_at,
        "jurisdiction": jurisdiction,
        "work_category": work_category,
        "result": result,
        "note": note,
        "expires_at": expires_at,
    }
    request = build_request(OwnerSearchOfMany, fields)
    answer = record_owner_search(open_home(), request.items, request)
    if as_json:
        show_json(answer)
        return
    console.print(f"search {answer.id} recorded for {len(answer.items):,} items: {answer.search.result}")


@app.command("list")
def list_searches(item: Annotated[str, typer.Argument(help="Id of the item.")], as_json: AsJson = False) -> None:
    """List the searches for an item's owner, those stated at its registration first."""
    answer = show_item_searches(open_home(), item)
    if as_json:
        show_json(answer)
        return
    table = Table("searched", "by", "sources", "query", "result", "counts until")
    for search in answer.searches:
        until = f"{search.expires_at or 'always'}{' (expired)' if search.expired else ''}"
        row = (
            search.searched_at,
            search.searched_by or "",
            ", ".join(search.sources),
            search.query or "",
            search.result,
            until,
        )
        table.add_row(*row)
    console.print(table)
