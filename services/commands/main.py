"""The `sleeve` command: one entry to every service.

An expected failure is one line on standard error and exit status 1.
"""

import errno
from typing import Annotated

import typer

from shared.code_version import code_version
from shared.command_line.groups import LazyCommand, lazy_group
from shared.command_line.terminal_text import echo
from shared.errors import SleeveError
from shared.logging import configure_logging

EPILOG = """First steps:
  sleeve demo                                            the whole job on bundled pictures
  sleeve ingest add ./my-images --acquirer "Data team"   register your own
  sleeve gate check picture.png --model model-1          may this be released?

All state is in the folder that SLEEVE_HOME names, ./sleeve-data by default."""

COMMANDS = (
    ("ingest", "services.ingest.cli:app", "Record training images with their provenance."),
    ("audit", "services.audit.cli:app", "Train on sealed manifests and measure what a model memorised."),
    ("gate", "services.output_gate.cli:app", "Decide whether a generation may be released."),
    LazyCommand(
        "compare",
        "services.commands.compare:compare",
        "Measure SSIM, RMSE, PSNR, FSIM, SRE, SAM and UIQ between two images or two folders.",
        extra="audit",
    ),
    ("verify", "services.commands.verify:app", "Verify receipts, membership proofs, checkpoints and whole logs."),
    LazyCommand(
        "jobs", "services.commands.jobs:app", "List, show and cancel jobs that were asked for over REST.", extra="server"
    ),
    LazyCommand("home", "services.commands.home:app", "Say which home folder belongs to the database.", "records"),
    LazyCommand(
        "keys", "services.keys.cli:app", "Make, list and revoke API keys; show what was done with one.", extra="server"
    ),
    LazyCommand(
        "serve",
        "services.commands.serve:serve",
        "Run the three services in one process; the API is described at /docs.",
        extra="server",
    ),
    LazyCommand(
        "demo",
        "services.demo.cli:demo",
        "Do the whole job on bundled pictures: register, seal, train, sample, audit, check, verify, report.",
        extra="all",
    ),
)

app = typer.Typer(
    cls=lazy_group(COMMANDS),
    help="Sleeve: provenance of training images, memorisation audits, and a gate for generations, proved by one log.",
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        echo(f"sleeve {code_version()}")
        raise typer.Exit


@app.callback()
def sleeve(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Log what happens to standard error.")] = False,
) -> None:
    """Sleeve: provenance of training images, memorisation audits, and a gate for generations, proved by one log."""
    configure_logging(verbose=verbose)


def main() -> None:
    """Run the command line; turn expected failures into one line and an exit status."""
    try:
        app()
    except SleeveError as error:
        echo(f"error: {error.message} [{error.code}]", err=True)
        raise SystemExit(1) from None
    except OSError as error:
        # A disk that is full, a folder that may not be written to: nobody is helped by where in the code it was met.
        if error.strerror is None or (error.filename is None and error.errno != errno.ENOSPC):
            raise
        code = "disk_full" if error.errno == errno.ENOSPC else "file_unusable"
        echo(f"error: {error.filename or 'a file'}: {error.strerror} [{code}]", err=True)
        raise SystemExit(1) from None
