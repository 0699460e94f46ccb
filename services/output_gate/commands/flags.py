"""`sleeve gate flags`: what was flagged, what it owes, and every step until it is paid, waived or overturned."""

from typing import Annotated

import typer
from rich.table import Column, Table

from services.output_gate.flags.schemas import FlagAnswer, FlagStepRequest
from services.output_gate.flags.service import build_flag_history, page_of_flags, show_flag, step_flag
from shared.command_line.console import console, show_page
from shared.command_line.options import EXIT_STATUS, AsJson, Cursor, Limit, build_request, show_json
from shared.command_line.workspace import open_home
from shared.http.paging import PageRequest
from shared.ledger.body_fields import MEANINGS

app = typer.Typer(help="Follow flags from notice to payment or waiver.", epilog=EXIT_STATUS, no_args_is_help=True)

FlagId = Annotated[str, typer.Argument(help="Id of the flag.")]


@app.command("list")
def list_all(
    state: Annotated[str | None, typer.Option(help="Flags in this state only.")] = None,
    item: Annotated[str | None, typer.Option(help="Flags of this item only.")] = None,
    kind: Annotated[str | None, typer.Option(help=f"Flags of this kind of match only: {', '.join(MEANINGS)}.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    as_json: AsJson = False,
) -> None:
    """List flags, oldest first."""
    page = page_of_flags(open_home(), PageRequest(cursor, limit), state=state, item_id=item, kind=kind)
    if as_json:
        show_json(page)
        return
    table = Table(Column("id", min_width=36), "raised", "kind", "state", "held", "amount", "owners", "next")
    for flag in page.items:
        owners = "; ".join(owner.name for owner in flag.owners) or "none known"
        table.add_row(
            flag.id,
            flag.raised_at,
            flag.kind or "",
            flag.state,
            flag.held or "",
            _amount(flag),
            owners,
            ", ".join(flag.next_steps),
        )
    show_page(table, page.next_cursor)


@app.command()
def show(flag: FlagId, as_json: AsJson = False) -> None:
    """Show a flag and its history."""
    answer = show_flag(open_home(), flag)
    if as_json:
        show_json(answer)
        return
    _show(answer)


@app.command()
def history(flag: FlagId) -> None:
    """Print every entry about a flag with its receipt, as JSON."""
    show_json(build_flag_history(open_home(), flag))


@app.command()
def step(
    flag: FlagId,
    step_name: Annotated[
        str, typer.Argument(metavar="STEP", help="notify, accept, dispute, assess, hold, release, pay or waive.")
    ],
    role: Annotated[str, typer.Option(help="In what role: reviewer, compliance, finance or owner.")],
    reason: Annotated[str | None, typer.Option(help="Why, in words that name nobody; to waive, a code of the policy.")] = None,
    name: Annotated[str | None, typer.Option(help="Who; the log holds a salted commitment to the name.")] = None,
    note: Annotated[str | None, typer.Option(help="Anything else; the log holds a salted commitment to it.")] = None,
    currency: Annotated[str | None, typer.Option(help="Of assess: ISO 4217, such as EUR.")] = None,
    amount_minor: Annotated[int | None, typer.Option(help="Of assess: in minor units, such as cents.")] = None,
    as_json: AsJson = False,
) -> None:
    """Take a step with a flag; what its state does not allow is refused."""
    fields = {"step": step_name, "role": role, "reason": reason, "name": name, "note": note}
    request = build_request(FlagStepRequest, fields | {"currency": currency, "amount_minor": amount_minor})
    answer = step_flag(open_home(), flag, request)
    if as_json:
        show_json(answer)
        return
    _show(answer)


def _amount(flag: FlagAnswer) -> str:
    return "to be assessed" if flag.amount_minor is None else f"{flag.amount_minor} {flag.currency} (minor units)"


def _show(flag: FlagAnswer) -> None:
    table = Table(show_header=False, title=f"flag {flag.id}")
    table.add_row("state", flag.state + (f", held: {flag.held}" if flag.held else ""))
    table.add_row("check, item", f"{flag.check_id}, {flag.item_id}")
    if flag.kind is not None:
        table.add_row("kind of match", f"{flag.kind}: {MEANINGS[flag.kind]}")
    table.add_row("policy", flag.policy)
    table.add_row("amount", _amount(flag))
    for owner in flag.owners:
        part = "" if owner.amount_minor is None else f", {owner.amount_minor} {flag.currency}"
        table.add_row("owner", f"{owner.name}: {owner.share:.6f}{part}")
    for other in flag.other_owners:
        table.add_row("near duplicates name", f"{other.name}: {', '.join(other.items)}")
    table.add_row("raised", flag.raised_at)
    for step in flag.steps:
        table.add_row(step.step, f"{step.at} by {step.role}: {step.state}")
    table.add_row("next", ", ".join(flag.next_steps) or "nothing: it has ended")
    console.print(table)
