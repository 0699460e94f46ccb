"""`sleeve audit study`: many models of many slice sizes, and the curve."""

from typing import Annotated

import typer

from services.audit.audits.wording import choose_wording
from services.audit.commands.options import EXIT_VOID, ByRay, ReportFile
from services.audit.comparison.ray_matcher import open_matcher
from services.audit.reports.page import format_percent
from services.audit.reports.registry import write_study_reports
from services.audit.studies.dashboard import dashboard
from services.audit.studies.study import run_study
from services.audit.studies.study_config import load_study_config
from shared.command_line.console import console
from shared.command_line.workspace import open_home


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
    planned = load_study_config(config)
    if at_once is not None:
        planned = type(planned).model_validate(planned.model_dump() | {"at_once": at_once})
    workspace = open_home()
    with open_matcher(by_ray=ray) as matcher, dashboard(console, planned) as report_progress:
        finished = run_study(workspace, planned, report_progress, matcher)
    if finished.content["void"]:
        console.print(f"void, a control came out wrong: {', '.join(finished.content['void'])}", soft_wrap=True)
    for line in finished.content["sizes"]:
        mean, low, high, held_out = map(
            format_percent, (line["mean_rate"], line["lowest_rate"], line["highest_rate"], line["control"]["value"])
        )
        console.print(
            f"{line['size']:,} pictures, {line['models']} models: {mean} of generations "
            f"{choose_wording(line['thresholds'][0]).count} ({low} to {high}); "
            f"held-out images {held_out}",
            soft_wrap=True,
        )
    if finished.content["sizes"]:
        for path in write_study_reports(workspace, finished.record, finished.content, report):
            console.print(str(path), soft_wrap=True)
    else:
        console.print("every audit is void: there is no curve to report", soft_wrap=True)
    if finished.content["void"]:
        raise typer.Exit(EXIT_VOID)
