"""The report of a study: one self-contained page, the curve with what it rests on first.

The standards of evidence are those of `audit_report`: denominators, intervals and the control beside every rate, what the
figures show and what they do not on the first screen.
"""

from pathlib import Path
from typing import Any

from markupsafe import Markup

from services.audit.recorded_audits import load_audit, load_audit_content
from services.audit.reports.audit_report import build_environment
from services.audit.reports.gallery import build_gallery
from services.audit.reports.study_plots import plot_curve, plot_sweep, plot_training
from services.audit.sampling import load_samples
from services.audit.studies.study import FinishedStudy
from shared.errors import InputError
from shared.files import save_atomically
from shared.matching.intervals import upper_bound
from shared.workspace import Workspace

# Copies shown of each slice size: from its first model, the most similar ones.
ROWS_A_SIZE = 3


def write_study_report(workspace: Workspace, study: FinishedStudy, path: Path) -> None:
    """Write the report of a study.

    Args:
        workspace: where its audits, items and log are.
        study: as finished.
        path: of the HTML file.

    Raises:
        CorruptStateError: an audit or its samples are damaged.
        InputError: all audits of the study are void.
    """
    if not study.content["sizes"]:
        raise InputError("every audit of the study is void: there is no curve to report", code="study_void")
    content = study.content
    figures = [plot_curve(content), plot_sweep(content)]
    training = plot_training(content) if content["config"]["kept_updates"] else ""
    page = (
        build_environment()
        .get_template("study.html.j2")
        .render(
            content=content,
            record=study.record,
            receipt=workspace.log.receipt(study.record.entry_id),
            curve=Markup(figures[0]),  # noqa: S704 - our own SVG, its texts escaped in accessible_svg.py
            sweep=Markup(figures[1]),  # noqa: S704 - as above
            training=Markup(training),  # noqa: S704 - as above
            bound=upper_bound,
            galleries=[_gallery(workspace, study, size["size"]) for size in content["sizes"]],
            rule_names=list(content["sizes"][0]["rules"]),
            checkpoint=workspace.log.checkpoint(),
            vkey=workspace.log.vkey,
        )
    )
    save_atomically(path, page.encode())


def _gallery(workspace: Workspace, study: FinishedStudy, size: int) -> dict[str, Any]:
    sound = (point for point in study.content["points"] if point["state"] == "completed")
    point = next(point for point in sound if point["size"] == size)
    audit = load_audit_content(workspace, load_audit(workspace, point["audit"]))
    rows = build_gallery(workspace, audit, load_samples(study.samples[point["model"]]).images)
    return {"point": point, "rows": rows[:ROWS_A_SIZE]}
