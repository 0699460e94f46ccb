"""`sleeve ingest tidy`: unfinished files, out of the home folder."""

from typing import Annotated

import typer

from shared.command_line.console import console
from shared.settings import load_settings
from shared.stale_files import SAFE_AGE_SECONDS, remove_leftovers


def tidy(
    older_than_hours: Annotated[
        float, typer.Option(min=SAFE_AGE_SECONDS / 3600, help="Leave what was written to less than so many hours ago.")
    ] = SAFE_AGE_SECONDS / 3600,
) -> None:
    """Remove the unfinished files that killed processes left in the home folder. Nothing that was recorded is touched."""
    leftovers = remove_leftovers(load_settings().home, older_than_hours * 3600)
    console.print(
        f"{leftovers.removed:,} unfinished files removed, {leftovers.removed_bytes:,} bytes; "
        f"{leftovers.left:,} left that are too young or whose writers live"
    )
