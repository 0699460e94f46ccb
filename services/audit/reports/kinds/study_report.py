"""The report of a study: one self-contained page, the curve with what it rests on first.

The standards of evidence are those of `audit_report`: denominators, intervals and the control beside every rate, what the
figures show and what they do not on the first screen.
"""

from typing import Any

from markupsafe import Markup

from services.audit.audits.recorded_audits import load_audit, load_audit_content
from services.audit.reports.gallery import build_gallery
from services.audit.reports.page import build_environment
from services.audit.reports.registry import StudyReport
from services.audit.reports.study_plots import plot_curve, plot_sweep, plot_training
from services.audit.sampling.recorded_samples import load_judged_samples
from services.audit.statistics.data_copying import is_underfitted
from shared.errors import InputError
from shared.matching.calibration.rate_intervals import upper_bound
from shared.records.studies import Study
from shared.workspace import Workspace

# Copies shown of each slice size: from its first model, the most similar ones.
ROWS_A_SIZE = 3


def build_study_report(workspace: Workspace, study: Study, content: dict[str, Any]) -> str:
    """Build the report of a study, HTML that loads nothing from elsewhere.

    Args:
        workspace: where its audits, items and log are.
        study: on record.
        content: of its `study.json`.

    Raises:
        CorruptStateError: an audit or its samples are damaged.
        NotFoundError: samples of a model that is shown are not kept.
        InputError: all audits of the study are void.
    """
    if not content["sizes"]:
        raise InputError("every audit of the study is void: there is no curve to report", code="study_void")
    training = plot_training(content) if content["config"]["kept_updates"] else ""
    return (
        build_environment()
        .get_template("study.html.j2")
        .render(
            content=content,
            record=study,
            receipt=workspace.log.receipt(study.entry_id),
            curve=Markup(plot_curve(content)),  # noqa: S704 - our own SVG, its texts escaped in accessible_svg.py
            sweep=Markup(plot_sweep(content)),  # noqa: S704 - as above
            training=Markup(training),  # noqa: S704 - as above
            bound=upper_bound,
            underfitted=[f"{line['size']:,}" for line in content["sizes"] if is_underfitted(line["data_copying"])],
            galleries=[_gallery(workspace, content, size["size"]) for size in content["sizes"]],
            rule_names=list(content["sizes"][0]["rules"]),
            checkpoint=workspace.log.checkpoint(),
            vkey=workspace.log.vkey,
        )
    )


def _gallery(workspace: Workspace, content: dict[str, Any], size: int) -> dict[str, Any]:
    sound = (point for point in content["points"] if point["state"] == "completed")
    point = next(point for point in sound if point["size"] == size)
    audit = load_audit_content(workspace, load_audit(workspace, point["audit"]))
    rows = build_gallery(workspace, audit, load_judged_samples(workspace, audit).images)
    return {"point": point, "rows": rows[:ROWS_A_SIZE]}


REPORT = StudyReport(file="report.html", build=build_study_report)
