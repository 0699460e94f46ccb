"""`sleeve ingest erase`: a person's name, out of the records."""

from typing import Annotated

import typer

from services.ingest.lifecycle.erasure import erase as erase_name
from shared.command_line.console import console
from shared.command_line.workspace import open_home


def erase(
    party: Annotated[str, typer.Argument(help="Id of the party, as items show it for each owner.")],
    reason: Annotated[str, typer.Option(help="Why, in words that name nobody; the log commits to them.")],
) -> None:
    """Erase a person's name from the records. It cannot be undone; every proof stays valid."""
    deleted = erase_name(open_home(), party, reason)
    console.print(f"erased; {deleted:,} commitments to the name can no longer be opened")
