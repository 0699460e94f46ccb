"""`sleeve audit train` and `sleeve audit import`: models."""

from pathlib import Path
from typing import Annotated

import typer

from services.audit.commands.near_copies import report_near_copies
from services.audit.commands.options import ModelName
from services.audit.models.imported_models import import_model
from services.audit.models.preprocessing import Preprocessing
from services.audit.models.trained_models import model_recipe, train_model
from services.audit.training.presets import DEMO_CONFIG
from services.audit.training.training_config import TrainingConfig
from shared.command_line.console import console, step_progress
from shared.command_line.options import build_request
from shared.command_line.terminal_text import echo
from shared.command_line.workspace import open_home


def train(
    name: ModelName,
    manifest: Annotated[str, typer.Option(help="Sealed training manifest.")],
    resolution: Annotated[int, typer.Option(help="Side of the pictures in pixels.")] = 24,
    channels: Annotated[int, typer.Option(help="1 grey, 3 colour.")] = 1,
    max_train_steps: Annotated[int, typer.Option(help="Optimiser updates.")] = 1000,
    seed: Annotated[int, typer.Option(help="Seed of weights, order, noise and timesteps.")] = 0,
    train_batch_size: Annotated[int, typer.Option(help="Images an update, on all devices together.")] = 16,
    learning_rate: Annotated[float, typer.Option(help="Peak of the one-cycle schedule.")] = 4e-3,
    use_ema: Annotated[bool, typer.Option("--use-ema", help="Keep an average of the weights.")] = False,
    mixed_precision: Annotated[str, typer.Option(help="no, bf16, or fp16 on a GPU.")] = "no",
    control: Annotated[
        str | None, typer.Option(help="Control of the audit to come: near copies in it are reported before the training.")
    ] = None,
) -> None:
    """Train an unconditional diffusion model. Run it again after an interruption: it resumes."""
    changed = {
        "resolution": resolution,
        "channels": channels,
        "max_train_steps": max_train_steps,
        "seed": seed,
        "train_batch_size": train_batch_size,
        "learning_rate": learning_rate,
        "use_ema": use_ema,
        "mixed_precision": mixed_precision,
    }
    config = build_request(TrainingConfig, DEMO_CONFIG.model_dump() | changed)
    workspace = open_home()
    if control is not None:
        report_near_copies(workspace, manifest, control, model_recipe(config.resolution, config.channels))
    with step_progress(f"training {name}", max_train_steps) as move:
        model = train_model(workspace, name, manifest, config, move)
    console.print(f"{model.name}: weights {model.weights_sha256}", soft_wrap=True)


def import_(
    folder: Annotated[Path, typer.Argument(help="Folder of the model, as diffusers saves it.")],
    name: ModelName,
    manifest: Annotated[str, typer.Option(help="Sealed manifest that its owner says it was trained on.")],
    scheduler: Annotated[
        Path | None, typer.Option(help="scheduler_config.json of its training, where the folder has none.")
    ] = None,
    variant: Annotated[str | None, typer.Option(help="Which weights, where there are several kinds, such as fp16.")] = None,
    orientation: Annotated[str | None, typer.Option(help="What training did with EXIF orientation: applied, ignored.")] = None,
    background: Annotated[
        str | None, typer.Option(help="What training laid transparency over: white, black, grey, none (the colours under it).")
    ] = None,
    crop: Annotated[str | None, typer.Option(help="How training made pictures square: centre, none, random.")] = None,
    resize_filter: Annotated[str | None, typer.Option(help="By which filter it resized them: bicubic, lanczos, …")] = None,
) -> None:
    """Import a model that was trained elsewhere. Its weights must be safetensors.

    How training saw its pictures is declared by options; what is left out is unknown, and then every way is compared.
    """
    fields = {"orientation": orientation, "background": background, "crop": crop, "resize_filter": resize_filter}
    preprocessing = build_request(Preprocessing, fields)
    model = import_model(
        open_home(), folder, name, manifest, preprocessing, scheduler=scheduler, variant=variant, report_note=echo
    )
    console.print(f"{model.name}: weights {model.weights_sha256}; its manifest is declared, not verified", soft_wrap=True)
