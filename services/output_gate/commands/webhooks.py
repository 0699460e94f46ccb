"""`sleeve gate webhooks`: who is told of what, what became of each message, and sending one again."""

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Column, Table

from services.output_gate.webhooks.schemas import CreatedWebhook, DeliveryAnswer, WebhookRequest
from services.output_gate.webhooks.service import (
    create_webhook,
    delete_webhook,
    page_of_deliveries,
    page_of_webhooks,
    redeliver,
)
from shared.command_line.console import console, show_page
from shared.command_line.options import EXIT_STATUS, AsJson, Cursor, Limit, build_request, show_json
from shared.command_line.terminal_text import echo
from shared.command_line.workspace import open_home
from shared.errors import ConflictError, InputError
from shared.http.paging import PageRequest

app = typer.Typer(
    help="Have events posted to a URL; messages are sent by the running server.", epilog=EXIT_STATUS, no_args_is_help=True
)

WebhookId = Annotated[str, typer.Argument(metavar="WEBHOOK", help="Id of the webhook.")]


@app.command()
def add(
    url: Annotated[str, typer.Argument(help="Where messages are posted: https, or an address in an allowed network.")],
    event: Annotated[list[str], typer.Option(help="Of which event, such as flag.raised; may be repeated.")],
    secret_file: Annotated[
        Path | None, typer.Option(help="Write the secret to this new file, mode 0600, and do not print it.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Create a webhook. Its secret, by which the receiver verifies each message, is shown this once."""
    request = build_request(WebhookRequest, {"url": url, "events": event})
    workspace = open_home()
    if secret_file is None:
        created = create_webhook(workspace, request)
    else:
        # Made first: a webhook whose secret nobody could keep would be of no use.
        file = _open_new(secret_file)
        with os.fdopen(file, "w", encoding="ascii") as out:
            try:
                created = create_webhook(workspace, request)
            except BaseException:
                secret_file.unlink(missing_ok=True)
                raise
            out.write(f"{created.secret}\n")
        created = created.model_copy(update={"secret": None})
    if as_json:
        show_json(created)
        return
    _show_created(created, secret_file)


@app.command("list")
def list_all(limit: Limit = 50, cursor: Cursor = None, as_json: AsJson = False) -> None:
    """List webhooks, oldest first; removed ones are left out."""
    page = page_of_webhooks(open_home(), PageRequest(cursor, limit))
    if as_json:
        show_json(page)
        return
    table = Table(Column("id", min_width=36), "url", "events", "state", "created", "messages")
    for webhook in page.items:
        counts = ", ".join(f"{count:,} {state}" for state, count in sorted(webhook.deliveries.items()))
        table.add_row(webhook.id, webhook.url, ", ".join(webhook.events), webhook.state, webhook.created_at, counts or "none")
    show_page(table, page.next_cursor)


@app.command()
def deliveries(
    webhook: WebhookId,
    state: Annotated[str | None, typer.Option(help="Messages in this state: pending, delivered, dead or dropped.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    as_json: AsJson = False,
) -> None:
    """List the messages to a webhook, oldest first: how often each was tried, and what came of it."""
    page = page_of_deliveries(open_home(), webhook, PageRequest(cursor, limit), state)
    if as_json:
        show_json(page)
        return
    _show_deliveries(page.items)
    if page.next_cursor:
        console.print(f"more: --cursor {page.next_cursor}")


@app.command()
def retry(
    webhook: WebhookId,
    delivery: Annotated[str, typer.Argument(metavar="DELIVERY", help="Id of the message.")],
    as_json: AsJson = False,
) -> None:
    """Queue a message that is dead or overdue, with all its tries before it; any other is refused."""
    answer = redeliver(open_home(), webhook, delivery)
    if as_json:
        show_json(answer)
        return
    _show_deliveries([answer])


@app.command()
def remove(webhook: WebhookId) -> None:
    """Send a webhook nothing more: its secret is removed, and messages that were not delivered are dropped."""
    delete_webhook(open_home(), webhook)
    console.print(f"removed: {webhook}")


def _open_new(file: Path) -> int:
    try:
        return os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise ConflictError(f"{file} is there already; name a new file for the secret", code="file_exists") from error
    except OSError as error:
        raise InputError(f"{file} cannot be written: {error.strerror}", code="file_unwritable") from error


def _show_created(created: CreatedWebhook, secret_file: Path | None) -> None:
    table = Table(show_header=False, title=f"webhook {created.id}")
    table.add_row("url", created.url)
    table.add_row("events", ", ".join(created.events))
    console.print(table)
    if secret_file is not None:
        console.print(f"the secret is in {secret_file}")
    else:
        # Not in the table, which would break it over lines.
        echo(f"secret, shown this once: {created.secret}")


def _show_deliveries(deliveries: list[DeliveryAnswer]) -> None:
    table = Table(Column("id", min_width=36), "event", "state", "tries", "last", "created", "next try")
    for delivery in deliveries:
        last = delivery.last_error or ("" if delivery.last_status is None else str(delivery.last_status))
        table.add_row(
            delivery.id,
            delivery.event,
            delivery.state,
            str(delivery.attempts),
            last,
            delivery.created_at,
            delivery.next_try_at or "",
        )
    console.print(table)
