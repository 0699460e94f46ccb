"""`sleeve audit seal`: a slice of a data set, and the rest as control."""

from typing import Annotated

import typer

from services.audit.training_sets.slices import draw_slice
from shared.command_line.console import console
from shared.command_line.workspace import open_home
from shared.records.manifests import seal_manifest


def seal(
    name: Annotated[str, typer.Argument(help="Name of the training manifest.")],
    dataset: Annotated[str, typer.Option(help="Data set to draw from.")],
    size: Annotated[int, typer.Option(min=1, help="Images in the slice.")],
    seed: Annotated[int, typer.Option(help="Seed of the draw.")] = 0,
    control: Annotated[str | None, typer.Option(help="Seal the images left over under this name, as control.")] = None,
) -> None:
    """Draw a slice of a data set and seal it as a manifest."""
    workspace = open_home()
    with workspace.writing() as session:
        drawn = draw_slice(session, dataset, size, seed)
        sealed = [seal_manifest(session, name, "train", drawn.training)]
        if control is not None:
            sealed.append(seal_manifest(session, control, "control", drawn.held_out))
    workspace.log.integrate()
    for manifest in sealed:
        console.print(f"{manifest.name}: {manifest.size:,} items for {manifest.purpose}, root {manifest.root}", soft_wrap=True)
