"""`sleeve demo`: the whole job on bundled pictures."""

from pathlib import Path
from typing import Annotated

import typer

from services.demo.run import run_demo


def demo(
    folder: Annotated[Path, typer.Option(help="Where the demo keeps its state and its report.")] = Path("sleeve-demo"),
) -> None:
    """Do the whole job on bundled pictures: register, seal, train, sample, audit, check, verify, report."""
    run_demo(folder)
