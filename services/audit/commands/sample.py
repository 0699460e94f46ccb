"""`sleeve audit sample`: generations of a model."""

from pathlib import Path
from typing import Annotated

import typer

from services.audit.commands.options import FirstSeed, GenerationCount, ModelName, SamplerName, Steps, known_sampler
from services.audit.sampling.sample_shards import load_samples
from services.audit.sampling.samples import export_pngs, sample_model
from shared.command_line.console import console, step_progress
from shared.command_line.workspace import open_home


def sample(
    model: ModelName,
    count: GenerationCount = 128,
    seed: FirstSeed = 0,
    steps: Steps = 25,
    sampler: SamplerName = "ddim",
    png: Annotated[Path | None, typer.Option(help="Write each image to this folder too, as PNG named by its seed.")] = None,
) -> None:
    """Generate images from a model, one recorded seed each. Run it again after an interruption: it resumes."""
    with step_progress(f"sampling {model}", count) as move:
        folder = sample_model(open_home(), model, count, seed, steps, move, sampler=known_sampler(sampler))
    console.print(f"{count:,} images in {folder}", soft_wrap=True)
    if png is not None:
        with step_progress("writing PNG files", count) as move:
            export_pngs(load_samples(folder), png, move)
        console.print(str(png), soft_wrap=True)
