"""`sleeve keys`: make, list and revoke API keys, and show what was done with one, on the machine that holds the state.

The first key is made here.
"""

from typing import Annotated

import typer
from rich.table import Column, Table

from services.keys.schemas import KeyRequest
from services.keys.service import create_key, page_of_key_entries, page_of_keys, revoke_key
from shared.auth.scopes import MEANING
from shared.command_line.console import console, show_page
from shared.command_line.options import EXIT_STATUS, AsJson, Cursor, Limit, build_request, show_json
from shared.command_line.terminal_text import echo
from shared.command_line.workspace import open_home
from shared.http.paging import PageRequest

app = typer.Typer(
    help="Make, list and revoke API keys; show what was done with one.", epilog=EXIT_STATUS, no_args_is_help=True
)


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What the key is for; it is not logged.")],
    scope: Annotated[list[str], typer.Option(help="What its holder may do; several times for several. `scopes` lists them.")],
    party: Annotated[
        str | None, typer.Option(help="Id of the party that it speaks for; with items:own and flags:owner.")
    ] = None,
    expires: Annotated[
        str | None,
        typer.Option(help="When its time is over, such as 2027-01-31T00:00:00Z, or `never`; a year by default."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a key and print it. It is shown this once: kept is a digest of it."""
    fields = {"name": name, "scopes": scope, "party_id": party, "expires_at": expires}
    key = create_key(open_home(), build_request(KeyRequest, fields))
    if as_json:
        show_json(key)
        return
    echo(key.key)
    echo(f"key {key.id}, until {key.expires_at or 'it is revoked'}; shown this once", err=True)


@app.command("list")
def list_all(limit: Limit = 50, cursor: Cursor = None, as_json: AsJson = False) -> None:
    """List keys, oldest first, revoked and expired ones included."""
    page = page_of_keys(open_home(), PageRequest(cursor, limit))
    if as_json:
        show_json(page)
        return
    table = Table(Column("id", min_width=32), "name", "scopes", "party", "state", "until", "last used")
    for key in page.items:
        cells = (key.id, key.name, " ".join(key.scopes), key.party_id, key.state, key.expires_at, key.last_used_at)
        table.add_row(*(cell or "" for cell in cells))
    show_page(table, page.next_cursor)


@app.command()
def revoke(key: Annotated[str, typer.Argument(help="Id of the key.")], as_json: AsJson = False) -> None:
    """Let a key count no more, from the next request on, in every process."""
    answer = revoke_key(open_home(), key)
    if as_json:
        show_json(answer)
        return
    console.print(f"{answer.id}: {answer.state}", soft_wrap=True)


@app.command()
def history(
    key: Annotated[str, typer.Argument(help="Id of the key, or `operator` for what was done by command.")],
    limit: Limit = 50,
    cursor: Cursor = None,
    as_json: AsJson = False,
) -> None:
    """Show what was done with a key: the log's entries made with it, oldest first; as JSON with receipts and openings."""
    page = page_of_key_entries(open_home(), key, PageRequest(cursor, limit))
    if as_json:
        show_json(page)
        return
    table = Table("entry", "at", "type", "subject")
    for entry in page.items:
        subject = " ".join(f"{name} {value}" for name, value in entry.subject.items())
        table.add_row(str(entry.index), entry.at, entry.type, subject)
    show_page(table, page.next_cursor)


@app.command()
def scopes() -> None:
    """List what a key can be allowed to do."""
    table = Table("scope", "its holder may")
    for scope, meaning in MEANING.items():
        table.add_row(scope, meaning)
    console.print(table)
