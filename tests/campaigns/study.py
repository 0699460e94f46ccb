"""The study `cpu` on the dungeon tiles: from registration to the figures under `docs/results`.

    python -m tests.campaigns.study --home FOLDER

Rules, in order:

1. It does what `sleeve ingest add` and then `sleeve audit study cpu` do. Killed or stopped, the same call goes on.
2. What is written is what Sleeve wrote: `study-cpu.json` is its `study.json` in readable form, `study-cpu.html` its report,
   the plots are the report's. The page `study-cpu.md` repeats figures of the first.
3. The tiles are CC0, so that the report may show them.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from services.audit.reports.kinds.study_report import build_study_report
from services.audit.reports.page import format_metric, format_percent, format_rate
from services.audit.reports.study_plots import plot_curve, plot_sweep, plot_training
from services.audit.studies.dashboard import dashboard
from services.audit.studies.study import FinishedStudy, run_study
from services.audit.studies.study_config import load_study_config
from services.ingest.bulk.pipeline import register_rows
from services.ingest.sources.kinds.imagefolder import read_imagefolder
from shared.command_line.console import console
from shared.files import save_atomically
from shared.matching.calibration.rate_intervals import upper_bound
from shared.settings import Settings
from shared.workspace import Workspace, open_workspace
from tests.support.paths import RESULTS, SHARED

DATA = SHARED / "data" / "dcss_tiles"
NAME = "study-cpu"


def register_tiles(workspace: Workspace) -> None:
    """Register the tiles, or find them registered."""
    rows = read_imagefolder(DATA, "tiles", "Study of dungeon tiles", workspace.limits.max_bytes)
    result = register_rows(workspace, rows)
    console.print(f"tiles: {result.created:,} registered, {result.known:,} known before")


def save_results(workspace: Workspace, study: FinishedStudy, folder: Path) -> None:
    """Write figures, report, plots and page of a study."""
    content = study.content
    save_atomically(folder / f"{NAME}.json", (json.dumps(content, indent=1) + "\n").encode())
    save_atomically(folder / f"{NAME}.html", build_study_report(workspace, study.record, content).encode())
    plots = {"curve": plot_curve, "sweep": plot_sweep, "training": plot_training}
    for name, plot in plots.items():
        save_atomically(folder / f"{NAME}-{name}.svg", (plot(content) + "\n").encode())
    save_atomically(folder / f"{NAME}.md", build_page(content).encode())


def build_page(content: dict[str, Any]) -> str:
    """Write the page that a reader of the repository sees."""
    some, data = content["points"][0], content["dataset"]
    void = f"Void audits, in no mean: {', '.join(content['void'])}." if content["void"] else "No audit was void."
    head: tuple[str, ...] = (
        "training pictures",
        "each seen",
        "copies, mean (lowest to highest)",
        "copies of generations, 95 % interval",
    )
    head += (
        "threshold (SSIM)",
        "above SSIM 0.9",
        "held-out taken for copies",
        "left out as alike, taken for copies",
        "training pictures copied",
    )
    head += ("quality: distance (floor)", "C_T", "copies by `fused`")
    head += ("copies of own pictures", "of the twin's", "likeness from the same noise (from other noise)")
    paragraphs = (
        "# The study `cpu`",
        (
            f"{len(content['points'])} models of slices drawn from {data['distinct']:,} distinct tiles of {data['items']:,}, "
            f"two disjoint slices a size, {len(content['config']['seeds'])} seeds, {some['updates']:,} updates each; "
            f"{some['generations']} generations a model, {content['control']['size']} held-out pictures as control, "
            f"false-positive rate {format_percent(some['attained_rate'])}. {void} "
            f"Method: [../methods/study.md](../methods/study.md). "
            f"Report, with copies: [{NAME}.html]({NAME}.html). Every figure: [{NAME}.json]({NAME}.json)."
        ),
        f"![Share of generations that are copies, by number of training pictures]({NAME}-curve.svg)",
        "\n".join([_line(head), _line(["---"] * len(head)), *(_line(_cells(point)) for point in content["sizes"])]),
        _limits(data["left_out_alike"]),
        f"![Share above every level of SSIM]({NAME}-sweep.svg)",
        f"![Share of copies in the course of training]({NAME}-training.svg)",
    )
    return "\n\n".join(paragraphs) + "\n"


def _limits(left_out: int) -> str:
    return (
        "What the figures do not say. The held-out pictures, like the slices, are without pictures alike to another (SSIM of "
        f"0.9 or more; {left_out:,} were left out), so their rate is of such pictures only; beside it stands the rate of "
        "those left out. Where C_T is far above 0, generations are farther from the training pictures than held-out pictures "
        "are: these models are underfitted at this number of updates, and their few copies are no virtue. The floor is the "
        "distance of as many held-out pictures, and all that a perfect model could reach. Two slices of a size are one draw; "
        "intervals are of these models."
    )


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cells(point: dict[str, Any]) -> list[str]:
    twins, copies = point["twins"], point["copies"]
    of_the_twins = twins["counterfactual"]["copies_of_the_twins"]
    bound = upper_bound(of_the_twins["hits"], of_the_twins["trials"])
    rates = f"{format_percent(point['lowest_rate'])} to {format_percent(point['highest_rate'])}"
    return [
        f"{point['size']:,}",
        f"{point['updates_per_image']:,.0f} ×",
        f"{format_percent(point['mean_rate'])} ({rates})",
        f"{copies['hits']:,} of {copies['trials']:,}, {format_percent(copies['low'])} to {format_percent(copies['high'])}",
        " to ".join(dict.fromkeys(format_metric(threshold) for threshold in point["thresholds"])),
        format_percent(next(share for level, share, _ in point["sweep"] if level == 0.9)),
        format_rate(point["control"]),
        format_rate(point["left_out"]),
        format_percent(point["distinct_share"]),
        f"{point['quality']:.3f} ({point['quality_floor']:.3f})",
        f"{point['data_copying']:.1f}",
        format_percent(point["rules"]["fused"]["generations"]) if point["rules"]["fused"]["sound"] else "void",
        format_rate(twins["counterfactual"]["copies_of_own"]),
        f"{of_the_twins['hits']} of {of_the_twins['trials']:,}, at most {format_percent(bound)}",
        f"{twins['same_noise_ssim']:.3f} ({twins['other_noise_ssim']:.3f})",
    ]


def main() -> None:
    """Run the study and write its results."""
    parser = argparse.ArgumentParser(description="Run the study `cpu` on the dungeon tiles.")
    parser.add_argument("--home", type=Path, default=Path("build/study-cpu"), help="where its state lies; kept")
    home = parser.parse_args().home
    workspace = open_workspace(
        Settings(home=home, database_url=None, log_origin="study.sleeve.invalid/log", embedder="pixels:16")
    )
    register_tiles(workspace)
    config = load_study_config("cpu")
    with dashboard(console, config) as on_progress:
        study = run_study(workspace, config, on_progress)
    save_results(workspace, study, RESULTS)


if __name__ == "__main__":
    main()
