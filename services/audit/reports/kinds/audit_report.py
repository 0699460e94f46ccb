"""The report of one or more audits: a single self-contained HTML page.

Rules, in order (standards of evidence):

1. Every rate has its denominator, its 95 % interval and the control's rate beside it; zero hits have an upper bound.
2. Two counts always: generations that are copies, and distinct training items copied.
3. The attack is stated, and that the figure is a lower bound for it; the conclusion holds for these weights and this manifest.
4. The page says what it does not decide. Nothing on it is loaded from elsewhere.

Source: Carlini 2025 (note to lawyers) and Cooper and Grimmelmann 2024 for what a figure may be taken to show.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from services.audit.audits.wording import choose_wording
from services.audit.reports.gallery import GalleryRow, build_gallery
from services.audit.reports.page import build_environment
from services.audit.reports.plots import median_ssim, plot_distributions
from services.audit.reports.registry import AuditReport
from services.audit.sampling.recorded_samples import verify_judged
from services.audit.sampling.sample_shards import load_samples
from services.audit.statistics.data_copying import is_underfitted
from shared.code_version import package_versions
from shared.files import save_atomically
from shared.matching.calibration.rate_intervals import upper_bound
from shared.records.models import Audit
from shared.workspace import Workspace

# Fixed levels of SSIM at which shares are shown besides the calibrated threshold.
SWEEP_LEVELS = (0.7, 0.8, 0.9)
METRIC_NAMES = ("ssim", "rmse", "psnr", "fsim", "sre", "sam", "uiq")


def write_report(
    workspace: Workspace,
    audits: Sequence[tuple[Audit, dict[str, Any], Path]],
    path: Path,
    *,
    title: str = "Memorisation audit",
    checks: Sequence[dict[str, Any]] = (),
) -> None:
    """Write the report to an HTML file; the other arguments are those of `build_report`."""
    save_atomically(path, build_report(workspace, audits, title=title, checks=checks).encode())


def build_report(
    workspace: Workspace,
    audits: Sequence[tuple[Audit, dict[str, Any], Path]],
    *,
    title: str = "Memorisation audit",
    checks: Sequence[dict[str, Any]] = (),
) -> str:
    """Build the report's page.

    Args:
        workspace: where the audits' items and log are.
        audits: records, contents of `audit.json`, and folders of samples.
        title: of the page.
        checks: gate answers to show, each with `title`, `picture`, `expected` and `answer`.
    """
    contents = [content for _, content, _ in audits]
    wordings = [choose_wording(content["threshold"]) for content in contents]
    checkpoint = workspace.log.checkpoint()
    return (
        build_environment()
        .get_template("report.html.j2")
        .render(
            title=title,
            audits=[_section(workspace, audit, content, folder) for audit, content, folder in audits],
            plot=Markup(plot_distributions(contents)),  # noqa: S704 - our own SVG, its texts escaped in plots.py
            checks=checks,
            sweep_levels=SWEEP_LEVELS,
            above_all_held_out=all(content["threshold"] == max(content["control_scores"]) for content in contents),
            everything_compared=all(content["manifest"]["size"] <= content["pipeline"]["neighbours"] for content in contents),
            equal_updates=len(contents) > 1 and len({content["model"]["updates"] for content in contents}) == 1,
            metric_names=METRIC_NAMES,
            every_is_copy=all(words.is_copy for words in wordings),
            gallery_heading=" / ".join(dict.fromkeys(words.heading for words in wordings)),
            checkpoint=checkpoint,
            vkey=workspace.log.vkey,
            packages=package_versions(),
        )
    )


def _section(workspace: Workspace, audit: Audit, content: dict[str, Any], folder: Path) -> dict[str, Any]:
    samples = load_samples(folder)
    verify_judged(samples, content)
    rows: list[GalleryRow] = build_gallery(workspace, content, samples.images)
    return {
        "content": content,
        "rows": rows,
        "hidden_rows": len(content["distinct_items_copied"]) - len(rows),
        "receipt": workspace.log.receipt(audit.entry_id),
        "report_sha256": audit.report_sha256,
        "median_ssim": median_ssim(content),
        "upper_bound": upper_bound(content["copies"]["hits"], content["copies"]["trials"]),
        "by_chance": content["attained_rate"] * content["copies"]["trials"],
        "sweep": _sweep(content),
        "underfitted": is_underfitted(content["statistics"]["data_copying"].get("statistic")),
        "kinds": Counter(sorted(item["kind"] for item in content["statistics"]["kinds"].values())),
    }


def _sweep(content: dict[str, Any]) -> dict[float, dict[str, Any]]:
    return {row["level"]: row for row in content["statistics"]["sweep"] if row["level"] in SWEEP_LEVELS}


REPORT = AuditReport(
    file="report.html",
    build=lambda workspace, audit, content, samples: build_report(workspace, [(audit, content, samples)]),
)
