"""`sleeve gate payables`: what is owed to whom."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Column, Table

from services.output_gate.payables.payables import iterate_payables, write_csv
from shared.command_line.console import console, show_page
from shared.command_line.workspace import open_home
from shared.files import save_atomically


def payables(
    csv: Annotated[Path | None, typer.Option(help="Write every row to this file, as CSV.")] = None,
    state: Annotated[str | None, typer.Option(help="Of flags in this state; else of all not overturned.")] = None,
) -> None:
    """List what is owed to whom: one row an owner's share of a flag, in minor units of its currency."""
    rows = iterate_payables(open_home(), state)
    if csv is not None:
        save_atomically(csv, "".join(write_csv(rows)).encode())
        console.print(f"{csv}")
        return
    table = Table(Column("flag", min_width=36), "item", "owner", "share", "amount", "state", "held")
    for row in rows:
        amount = "to be assessed" if row.amount_minor is None else f"{row.amount_minor} {row.currency}"
        table.add_row(row.flag_id, row.item_id, row.owner or "unknown", f"{row.share:.6f}", amount, row.state, row.held or "")
    show_page(table)
