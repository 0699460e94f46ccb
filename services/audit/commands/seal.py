"""`sleeve audit seal`: a slice of one or more data sets, and the rest as control."""

from typing import Annotated

import typer

from services.audit.jobs.requests import DEFAULT_NEIGHBOURS
from services.audit.models.trained_models import model_recipe
from services.audit.sealing.distinct import ALIKE_SSIM
from services.audit.sealing.sealed_slices import seal_slice
from services.audit.training.training_config import LARGEST_SIDE_PX
from shared.command_line.console import console
from shared.command_line.workspace import open_home
from shared.errors import InputError


def seal(
    name: Annotated[str, typer.Argument(help="Name of the training manifest.")],
    dataset: Annotated[list[str], typer.Option(help="Data set to draw from; repeat it to draw from several.")],
    size: Annotated[int, typer.Option(min=1, help="Images in the slice.")],
    seed: Annotated[int, typer.Option(help="Seed of the draw.")] = 0,
    control: Annotated[str | None, typer.Option(help="Seal the images left over under this name, as control.")] = None,
    distinct: Annotated[
        bool, typer.Option("--distinct", help="Leave near copies out of slice and control: no control is sound with them.")
    ] = False,
    resolution: Annotated[
        int, typer.Option(min=8, max=LARGEST_SIDE_PX, help="With --distinct: side in pixels of the model's pictures.")
    ] = 24,
    channels: Annotated[int, typer.Option(help="With --distinct: 1 grey, 3 colour, as the model has it.")] = 1,
) -> None:
    """Draw a slice of one or more data sets and seal it as a manifest."""
    if channels not in {1, 3}:
        raise InputError(f"expected 1 or 3 channels, got {channels}", code="channels")
    recipe = model_recipe(resolution, channels) if distinct else None
    sealed = seal_slice(
        open_home(), name, dataset, size, seed=seed, control=control, distinct=recipe, neighbours=DEFAULT_NEIGHBOURS
    )
    if sealed.near_copies is not None:
        console.print(
            f"{sealed.near_copies:,} near copies left out (SSIM of {ALIKE_SSIM} or more with one that stays, "
            f"at {resolution} px, {'grey' if channels == 1 else 'colour'}), listed in {sealed.near_copies_path}",
            soft_wrap=True,
        )
    for manifest in sealed.manifests:
        console.print(f"{manifest.name}: {manifest.size:,} items for {manifest.purpose}, root {manifest.root}", soft_wrap=True)
