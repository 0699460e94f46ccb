"""`sleeve home`: the folder that holds what the database does not."""

import typer

from shared.command_line.options import EXIT_STATUS
from shared.command_line.terminal_text import echo
from shared.db import open_database
from shared.home_identity import adopt_home
from shared.records.migrations.upgrade import migrate
from shared.settings import load_settings

app = typer.Typer(help="Say which home folder belongs to the database.", epilog=EXIT_STATUS, no_args_is_help=True)


@app.callback()
def home() -> None:
    """Say which home folder belongs to the database."""


@app.command()
def adopt() -> None:
    """State that SLEEVE_HOME belongs to the database from now on; after a restore or a move, and with no server running.

    Folders that belonged to it before are refused from their next start on.
    """
    settings = load_settings()
    settings.home.mkdir(parents=True, exist_ok=True)
    engine = open_database(settings)
    migrate(engine, settings.home)
    home_id = adopt_home(engine, settings.home)
    engine.dispose()
    echo(f"{settings.home.absolute()} is the database's home: {home_id}")
