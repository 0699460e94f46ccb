"""`sleeve serve`: the three services in one process."""

from typing import Annotated

import typer

from services.server.listener import build_server
from shared.command_line.terminal_text import echo
from shared.settings import load_settings


def serve(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on, loopback without keys; SLEEVE_HOST or 127.0.0.1 by default.")
    ] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; SLEEVE_PORT or 8460 by default.")] = None,
) -> None:
    """Run the three services in one process; the API is described at /docs."""
    options = {"host": host, "port": port}
    settings = load_settings(**{name: value for name, value in options.items() if value is not None})
    server = build_server(settings)
    echo(f"http://{settings.host}:{settings.port}/docs")
    server.run()
