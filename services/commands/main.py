"""The `sleeve` command: one entry to every service.

An expected failure is one line on standard error and exit status 1. What a command alone
needs it imports itself, here and beside each service, so that help and verifying a receipt start at once.
"""

import errno
from pathlib import Path
from typing import Annotated

import typer

from services.audit import cli as audit_cli
from services.commands import jobs as jobs_cli
from services.commands import verify as verify_cli
from services.commands.compare import compare
from services.ingest import cli as ingest_cli
from services.keys import cli as keys_cli
from services.output_gate import cli as gate_cli
from shared.code_version import code_version
from shared.command_line.groups import in_order
from shared.errors import SleeveError

EPILOG = """First steps:
  sleeve demo                                            the whole job on bundled pictures
  sleeve ingest add ./my-images --acquirer "Data team"   register your own
  sleeve gate check picture.png --model model-1          may this be released?

All state is in the folder that SLEEVE_HOME names, ./sleeve-data by default."""

app = typer.Typer(
    cls=in_order("ingest", "audit", "gate", "compare", "verify", "jobs", "keys", "serve", "demo"),
    help="Sleeve: provenance of training images, memorisation audits, and a gate for generations, proved by one log.",
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(ingest_cli.app, name="ingest")
app.add_typer(audit_cli.app, name="audit")
app.add_typer(gate_cli.app, name="gate")
app.add_typer(jobs_cli.app, name="jobs")
app.add_typer(keys_cli.app, name="keys")
app.add_typer(verify_cli.app, name="verify")
app.command()(compare)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"sleeve {code_version()}")
        raise typer.Exit


@app.callback()
def sleeve(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Log what happens to standard error.")] = False,
) -> None:
    """Sleeve: provenance of training images, memorisation audits, and a gate for generations, proved by one log."""
    from shared.logging import configure_logging

    configure_logging(verbose=verbose)


@app.command()
def serve(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on, loopback without keys; SLEEVE_HOST or 127.0.0.1 by default.")
    ] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; SLEEVE_PORT or 8460 by default.")] = None,
) -> None:
    """Run the three services in one process; the API is described at /docs."""
    given = {name: value for name, value in {"host": host, "port": port}.items() if value is not None}
    from shared.settings import load_settings

    settings = load_settings(**given)
    # Only now what brings torch: settings that cannot be accepted are answered at once.
    from services.server.one_process import build_server

    server = build_server(settings)
    typer.echo(f"http://{settings.host}:{settings.port}/docs")
    server.run()


@app.command()
def demo(
    folder: Annotated[Path, typer.Option(help="Where the demo keeps its state and its report.")] = Path("sleeve-demo"),
) -> None:
    """Do the whole job on bundled pictures: register, seal, train, sample, audit, check, verify, report."""
    from services.demo.run import run_demo

    run_demo(folder)


def main() -> None:
    """Run the command line; turn expected failures into one line and an exit status."""
    try:
        app()
    except SleeveError as error:
        typer.echo(f"error: {error.message} [{error.code}]", err=True)
        raise SystemExit(1) from None
    except OSError as error:
        # A disk that is full, a folder that may not be written to: nobody is helped by where in the code it was met.
        if error.strerror is None or (error.filename is None and error.errno != errno.ENOSPC):
            raise
        code = "disk_full" if error.errno == errno.ENOSPC else "file_unusable"
        typer.echo(f"error: {error.filename or 'a file'}: {error.strerror} [{code}]", err=True)
        raise SystemExit(1) from None
