"""`sleeve audit run` and `sleeve audit extract`: audit a model."""

from pathlib import Path
from typing import Annotated, Any

import typer

from services.audit.audits.audit import audit_extraction, audit_model
from services.audit.audits.wording import choose_wording, void_lines
from services.audit.commands.near_copies import report_near_copies
from services.audit.commands.options import (
    EXIT_VOID,
    AllPairs,
    ByRay,
    ChosenRate,
    ControlName,
    FirstSeed,
    GenerationCount,
    ModelName,
    Neighbours,
    ReportFile,
    SamplerName,
    Steps,
    known_sampler,
)
from services.audit.comparison.context import AuditContext
from services.audit.comparison.ray_matcher import open_matcher
from services.audit.jobs.requests import DEFAULT_NEIGHBOURS, DEFAULT_RATE
from services.audit.models.trained_models import model_recipe
from services.audit.reports.page import format_percent
from services.audit.reports.registry import write_audit_reports
from services.audit.sampling.sample import Sampler
from services.audit.sampling.samples import sample_model
from shared.command_line.console import console, step_progress
from shared.command_line.terminal_text import echo
from shared.command_line.workspace import open_home
from shared.records.manifests import load_manifest
from shared.records.models import Audit, load_model_record
from shared.vision.embedding import open_embedder
from shared.workspace import Workspace


def run(
    model: ModelName,
    control: ControlName,
    count: GenerationCount = 128,
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
    workspace = open_home()
    # Opened first: where Ray is asked for and missing, nothing is sampled.
    with open_matcher(by_ray=ray) as matcher:
        samples = _draw(workspace, model, control, count, seed, steps, known_sampler(sampler))
        embedder = open_embedder(workspace.settings.embedder)
        context = AuditContext(workspace, control, embedder, neighbours, rate, all_pairs=all_pairs, matcher=matcher)
        audit, content = audit_model(context, model, samples)
    _show_audit(workspace, audit, content, samples, report)


def extract(
    model: ModelName,
    control: ControlName,
    count: GenerationCount = 10_000,
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
    workspace = open_home()
    with open_matcher(by_ray=ray) as matcher:
        samples = _draw(workspace, model, control, count, seed, steps, known_sampler(sampler))
        embedder = open_embedder(workspace.settings.embedder)
        context = AuditContext(workspace, control, embedder, neighbours, rate, all_pairs=all_pairs, matcher=matcher)
        extraction = audit_extraction(context, model, samples, clique_size=clique_size, distance=distance)
    if extraction is None:
        console.print(f"{model}: no picture is shared by {clique_size} of {count:,} generations; nothing was compared")
        return
    audit, content = extraction
    _show_audit(workspace, audit, content, samples, report)


def _draw(workspace: Workspace, model: str, control: str, count: int, seed: int, steps: int, sampler: Sampler) -> Path:
    """Sample a model for an audit; a name that is not there is told before hours are spent."""
    with workspace.reading() as session:
        record = load_model_record(session, model)
        load_manifest(session, control)
    report_near_copies(workspace, record.manifest_id, control, model_recipe(record.resolution_px, record.channels))
    with step_progress(f"sampling {model}", count) as move:
        return sample_model(workspace, model, count, seed, steps, move, sampler=sampler)


def _show_audit(workspace: Workspace, audit: Audit, content: dict[str, Any], samples: Path, report: Path | None) -> None:
    """Write an audit's report, print what was found and where it is, and end with status 5 where it is void."""
    copies, checked, folder = content["copies"], content["control_rate"], workspace.home / audit.folder
    for line in void_lines(content):
        console.print(line, soft_wrap=True)
    share, low, high = map(format_percent, (copies["value"], copies["low"], copies["high"]))
    console.print(
        f"{content['model']['name']}: {copies['hits']} of {copies['trials']} {content['unit']} "
        f"{choose_wording(content['threshold']).count} ({share}, 95 % interval {low} to {high}); "
        f"{len(content['distinct_items_copied'])} distinct items; held-out images {checked['hits']} of {checked['trials']}",
        soft_wrap=True,
    )
    reports = write_audit_reports(workspace, audit, content, samples, report)
    for path in (*sorted(folder.glob("*.parquet")), *sorted(folder.glob("*.csv")), *reports):
        console.print(str(path), soft_wrap=True)
    if audit.state == "failed":
        for control in content["controls"]:
            for check in control["checks"]:
                if check["passed"] is False:
                    echo(f"void: {control['name']}, rule {check['rule']}: {check['got']}", err=True)
        raise typer.Exit(EXIT_VOID)
