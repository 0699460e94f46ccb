"""`sleeve audit`: seal, train, sample, run and report from the command line."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shared.command_line.console import console, step_progress
from shared.command_line.options import EXIT_STATUS, build_request
from shared.command_line.workspace import open_home

if TYPE_CHECKING:
    from services.audit.sampling.sample import Sampler
    from shared.records.models import Audit
    from shared.workspace import Workspace

app = typer.Typer(
    help="Train on sealed manifests and measure what a model memorised.",
    epilog=f"""Example:
  sleeve audit seal slice-1 --dataset my-images --size 500 --control held-out-1
  sleeve audit train model-1 --manifest slice-1
  sleeve audit run model-1 --control held-out-1

{EXIT_STATUS} Of run, extract and study: 5 a control came out wrong, the audit is void.""",
    no_args_is_help=True,
)

DEFAULT_NEIGHBOURS = 1000  # the paper: "1K CLIP neighbors"
DEFAULT_RATE = 0.001  # docs/methods/decision.md
# The audit is recorded and its report written, but a control came out wrong. Beside the gate's 3 and 4.
EXIT_VOID = 5

ModelName = Annotated[str, typer.Argument(help="Name of the model.")]
ControlName = Annotated[str, typer.Option(help="Sealed manifest of held-out images.")]
Drawn = Annotated[int, typer.Option(min=1, help="Images to generate, where there are none yet.")]
FirstSeed = Annotated[int, typer.Option(help="Seed of the first image; image i has seed + i.")]
Steps = Annotated[int, typer.Option(min=1, help="Denoising steps.")]
SamplerName = Annotated[str, typer.Option(help="ddim or ddpm.")]
Neighbours = Annotated[int, typer.Option(min=1, help="Length of a shortlist.")]
ChosenRate = Annotated[float, typer.Option(min=0, max=0.5, help="Chosen false-positive rate, above 0.")]
AllPairs = Annotated[bool, typer.Option("--all-pairs", help="Write the SSIM of every pair to pairs.parquet.")]
ByRay = Annotated[bool, typer.Option("--ray", help="Compare on many processes with Ray.")]
ReportFile = Annotated[Path | None, typer.Option(help="Write report.html to this file.")]


@app.command()
def seal(
    name: Annotated[str, typer.Argument(help="Name of the training manifest.")],
    dataset: Annotated[str, typer.Option(help="Data set to draw from.")],
    size: Annotated[int, typer.Option(min=1, help="Images in the slice.")],
    seed: Annotated[int, typer.Option(help="Seed of the draw.")] = 0,
    control: Annotated[str | None, typer.Option(help="Seal the images left over under this name, as control.")] = None,
) -> None:
    """Draw a slice of a data set and seal it as a manifest."""
    from services.audit.training_sets.slices import draw_slice
    from shared.records.manifests import seal_manifest

    workspace = open_home()
    with workspace.writing() as session:
        drawn = draw_slice(session, dataset, size, seed)
        sealed = [seal_manifest(session, name, "train", drawn.training)]
        if control is not None:
            sealed.append(seal_manifest(session, control, "control", drawn.held_out))
    workspace.log.integrate()
    for manifest in sealed:
        console.print(f"{manifest.name}: {manifest.size:,} items for {manifest.purpose}, root {manifest.root}", soft_wrap=True)


@app.command()
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
) -> None:
    """Train an unconditional diffusion model. Run it again after an interruption: it resumes."""
    from services.audit.models.trained_models import train_model
    from services.audit.training.presets import DEMO_CONFIG
    from services.audit.training.training_config import TrainingConfig

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
    with step_progress(f"training {name}", max_train_steps) as move:
        model = train_model(open_home(), name, manifest, config, move)
    console.print(f"{model.name}: weights {model.weights_sha256}", soft_wrap=True)


@app.command("import")
def import_(
    folder: Annotated[Path, typer.Argument(help="Folder of the model, as diffusers saves it.")],
    name: ModelName,
    manifest: Annotated[str, typer.Option(help="Sealed manifest that its owner says it was trained on.")],
) -> None:
    """Import a model that was trained elsewhere. Its weights must be safetensors."""
    from services.audit.models.imported_models import import_model

    model = import_model(open_home(), folder, name, manifest)
    console.print(f"{model.name}: weights {model.weights_sha256}; its manifest is declared, not verified", soft_wrap=True)


@app.command()
def sample(
    model: ModelName,
    count: Drawn = 128,
    seed: FirstSeed = 0,
    steps: Steps = 25,
    sampler: SamplerName = "ddim",
    png: Annotated[Path | None, typer.Option(help="Write each image to this folder too, as PNG named by its seed.")] = None,
) -> None:
    """Generate images from a model, one recorded seed each. Run it again after an interruption: it resumes."""
    from services.audit.sampling.sample_shards import load_samples
    from services.audit.sampling.samples import export_pngs, sample_model

    with step_progress(f"sampling {model}", count) as move:
        folder = sample_model(open_home(), model, count, seed, steps, move, sampler=known_sampler(sampler))
    console.print(f"{count:,} images in {folder}", soft_wrap=True)
    if png is not None:
        with step_progress("writing PNG files", count) as move:
            export_pngs(load_samples(folder), png, move)
        console.print(str(png), soft_wrap=True)


@app.command()
def run(
    model: ModelName,
    control: ControlName,
    count: Drawn = 128,
    seed: FirstSeed = 0,
    steps: Steps = 25,
    sampler: SamplerName = "ddim",
    neighbours: Neighbours = DEFAULT_NEIGHBOURS,
    rate: ChosenRate = DEFAULT_RATE,
    all_pairs: AllPairs = False,
    ray: ByRay = False,
    report: ReportFile = None,
) -> None:
    """Sample a model, compare with its training set and a control, and write the audit and its report.

    Exit status 5 where a control came out wrong and the audit is void.
    """
    from services.audit.audits.audit import audit_model
    from services.audit.comparison.ray_matcher import open_match
    from shared.vision.embedding import open_embedder

    workspace = open_home()
    # Opened first: where Ray is asked for and missing, nothing is sampled.
    with open_match(by_ray=ray) as match:
        samples = _draw(workspace, model, control, count, seed, steps, known_sampler(sampler))
        embedder = open_embedder(workspace.settings.embedder)
        audit, content = audit_model(
            workspace, model, control, samples, embedder, neighbours, rate, all_pairs=all_pairs, match=match
        )
    _show_audit(workspace, audit, content, samples, report)


@app.command()
def extract(
    model: ModelName,
    control: ControlName,
    count: Drawn = 10_000,
    seed: FirstSeed = 0,
    steps: Steps = 25,
    sampler: SamplerName = "ddim",
    clique_size: Annotated[int, typer.Option(help="Generations that must share a picture.")] = 10,
    distance: Annotated[float, typer.Option(help="Tiled distance within which two generations are the same, 0 to 1.")] = 0.15,
    neighbours: Neighbours = DEFAULT_NEIGHBOURS,
    rate: ChosenRate = DEFAULT_RATE,
    all_pairs: AllPairs = False,
    ray: ByRay = False,
    report: ReportFile = None,
) -> None:
    """Extract on purpose: draw many images, take what many seeds share, and audit one of each. Exit status 5 as for run."""
    from services.audit.audits.audit import audit_extraction
    from services.audit.comparison.ray_matcher import open_match
    from shared.vision.embedding import open_embedder

    workspace = open_home()
    with open_match(by_ray=ray) as match:
        samples = _draw(workspace, model, control, count, seed, steps, known_sampler(sampler))
        embedder = open_embedder(workspace.settings.embedder)
        found = audit_extraction(
            workspace,
            model,
            control,
            samples,
            embedder,
            neighbours,
            rate,
            clique_size=clique_size,
            distance=distance,
            all_pairs=all_pairs,
            match=match,
        )
    if found is None:
        console.print(f"{model}: no picture is shared by {clique_size} of {count:,} generations; nothing was compared")
        return
    audit, content = found
    _show_audit(workspace, audit, content, samples, report)


def _draw(workspace: "Workspace", model: str, control: str, count: int, seed: int, steps: int, sampler: "Sampler") -> Path:
    """Sample a model for an audit; a name that is not there is told before hours are spent."""
    from services.audit.sampling.samples import sample_model
    from shared.records.manifests import load_manifest
    from shared.records.models import load_model_record

    with workspace.reading() as session:
        load_model_record(session, model)
        load_manifest(session, control)
    with step_progress(f"sampling {model}", count) as move:
        return sample_model(workspace, model, count, seed, steps, move, sampler=sampler)


def known_sampler(name: str) -> "Sampler":
    """Return a sampler's name.

    Raises:
        InputError: there is none of this name.
    """
    from services.audit.sampling.sample import SAMPLERS
    from shared.errors import InputError

    for sampler in SAMPLERS:
        if sampler == name:
            return sampler
    raise InputError(f"expected one of {', '.join(SAMPLERS)}, got {name!r}", code="sampler_unknown")


def _show_audit(workspace: "Workspace", audit: "Audit", content: dict[str, Any], samples: Path, report: Path | None) -> None:
    """Write an audit's report, print what was found and where it is, and end with status 5 where it is void."""
    from services.audit.reports.audit_report import format_percent, write_report

    copies, checked, folder = content["copies"], content["control_rate"], workspace.home / audit.folder
    share, low, high = map(format_percent, (copies["value"], copies["low"], copies["high"]))
    console.print(
        f"{content['model']['name']}: {copies['hits']} of {copies['trials']} {content['unit']} are copies "
        f"({share}, 95 % interval {low} to {high}); "
        f"{len(content['distinct_items_copied'])} distinct items; held-out images {checked['hits']} of {checked['trials']}",
        soft_wrap=True,
    )
    path = report or folder / "report.html"
    write_report(workspace, [(audit, content, samples)], path)
    for written in (*sorted(folder.glob("*.parquet")), path):
        console.print(str(written), soft_wrap=True)
    if audit.state == "failed":
        for tested in content["controls"]:
            for check in tested["checks"]:
                if check["passed"] is False:
                    typer.echo(f"void: {tested['name']}, rule {check['rule']}: {check['got']}", err=True)
        raise typer.Exit(EXIT_VOID)


@app.command()
def study(
    config: Annotated[str, typer.Argument(help="A study's TOML file, or one that comes along: cpu, paper, smoke.")],
    report: ReportFile = None,
    at_once: Annotated[
        int | None, typer.Option(min=1, help="Models trained side by side, instead of what the file says.")
    ] = None,
    ray: ByRay = False,
) -> None:
    """Train and audit models of many slice sizes and draw the curve. Run it again after an interruption: it goes on.

    Exit status 5 where a control came out wrong and an audit is void.
    """
    from services.audit.comparison.ray_matcher import open_match
    from services.audit.reports.audit_report import format_percent
    from services.audit.reports.study_report import build_study_report
    from services.audit.studies.dashboard import dashboard
    from services.audit.studies.study import run_study
    from services.audit.studies.study_config import load_study_config
    from shared.files import save_atomically

    planned = load_study_config(config)
    if at_once is not None:
        planned = type(planned).model_validate(planned.model_dump() | {"at_once": at_once})
    workspace = open_home()
    with open_match(by_ray=ray) as match, dashboard(console, planned) as on_progress:
        finished = run_study(workspace, planned, on_progress, match)
    for one in finished.content["sizes"]:
        mean, low, high, held_out = map(
            format_percent, (one["mean_rate"], one["lowest_rate"], one["highest_rate"], one["control"]["value"])
        )
        console.print(
            f"{one['size']:,} pictures, {one['models']} models: {mean} of generations are copies ({low} to {high}); "
            f"held-out images {held_out}",
            soft_wrap=True,
        )
    if finished.content["sizes"]:
        path = report or workspace.home / finished.record.folder / "report.html"
        save_atomically(path, build_study_report(workspace, finished.record, finished.content).encode())
        console.print(str(path), soft_wrap=True)
    else:
        console.print("every audit is void: there is no curve to report", soft_wrap=True)
    if finished.content["void"]:
        console.print(f"void, a control came out wrong: {', '.join(finished.content['void'])}", soft_wrap=True)
        raise typer.Exit(EXIT_VOID)


@app.command("list")
def list_recorded(
    model: Annotated[str | None, typer.Option(help="Audits of this model only.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 50,
) -> None:
    """List recorded audits, newest first: id, time, state, model, control, digest of audit.json."""
    from services.audit.audits.recorded_audits import page_of_audits

    for one in page_of_audits(open_home(), None, limit, model).items:
        figures = f"{one.state}  {one.model}  {one.control}  {one.report_sha256}"
        console.print(f"{one.id}  {one.created_at}  {figures}", soft_wrap=True)


@app.command()
def show(audit_id: Annotated[str, typer.Argument(help="Id of the audit.")]) -> None:
    """Print an audit's audit.json, once it is checked against the digest in the log."""
    from services.audit.audits.recorded_audits import load_audit, load_audit_json

    workspace = open_home()
    typer.echo(load_audit_json(workspace, load_audit(workspace, audit_id)).decode())


@app.callback()
def audit() -> None:
    """Train on sealed manifests and measure what a model memorised."""
