"""What several commands of the audit take, and the exit status that they share."""

from pathlib import Path
from typing import Annotated

import typer

from services.audit.sampling.sample import SAMPLERS, Sampler
from shared.errors import InputError

# The audit is recorded and its report written, but a control came out wrong. Beside the gate's 3 and 4.
EXIT_VOID = 5

ModelName = Annotated[str, typer.Argument(help="Name of the model.")]
ControlName = Annotated[str, typer.Option(help="Sealed manifest of held-out images.")]
GenerationCount = Annotated[int, typer.Option(min=1, help="Images to generate, where there are none yet.")]
FirstSeed = Annotated[int, typer.Option(help="Seed of the first image; image i has seed + i.")]
Steps = Annotated[int, typer.Option(min=1, help="Denoising steps.")]
SamplerName = Annotated[str, typer.Option(help="ddim or ddpm.")]
Neighbours = Annotated[int, typer.Option(min=1, help="Length of a shortlist.")]
ChosenRate = Annotated[float, typer.Option(min=0, max=0.5, help="Chosen false-positive rate, above 0.")]
AllPairs = Annotated[bool, typer.Option("--all-pairs", help="Write the SSIM of every pair to pairs.parquet.")]
ByRay = Annotated[bool, typer.Option("--ray", help="Compare on many processes with Ray.")]
ReportFile = Annotated[Path | None, typer.Option(help="Write report.html to this file.")]


def known_sampler(name: str) -> Sampler:
    """Return a sampler's name.

    Raises:
        InputError: there is none of this name.
    """
    for sampler in SAMPLERS:
        if sampler == name:
            return sampler
    raise InputError(f"expected one of {', '.join(SAMPLERS)}, got {name!r}", code="sampler_unknown")
