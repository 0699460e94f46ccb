"""The registry of reports: every module of `services/audit/reports/kinds` is one, and there is no other list of them.

Rules, in order:

1. A module states its report in the constant `REPORT`: of an audit or of a study.
2. Modules are imported when a report is written or read. So a server that shows no report starts without matplotlib.
3. No two reports of audits, and no two of studies, have the same file.

docs/extending/report.md says how to add one.
"""

import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

from shared.files import save_atomically
from shared.records.models import Audit
from shared.records.studies import Study
from shared.workspace import Workspace

_PACKAGE = "services.audit.reports.kinds"
_FOLDER = Path(__file__).with_name("kinds")


@dataclass(frozen=True)
class AuditReport:
    """A report of one audit.

    Attributes:
        file: its name beside `audit.json`.
        build: builds its text from the audit's record, the content of `audit.json` and the folder of its samples.
    """

    file: str
    build: Callable[[Workspace, Audit, dict[str, Any], Path], str]


@dataclass(frozen=True)
class StudyReport:
    """A report of one study.

    Attributes:
        file: its name beside `study.json`.
        build: builds its text from the study's record and the content of `study.json`.
    """

    file: str
    build: Callable[[Workspace, Study, dict[str, Any]], str]


Report = TypeVar("Report", AuditReport, StudyReport)


def load_reports(kind: type[Report]) -> dict[str, Report]:
    """Return the reports of audits, or those of studies, by their files.

    Raises:
        TypeError: a module states no report.
        ValueError: two have the same file.
    """
    reports: dict[str, Report] = {}
    for module in pkgutil.iter_modules([str(_FOLDER)]):
        report = getattr(import_module(f"{_PACKAGE}.{module.name}"), "REPORT", None)
        if not isinstance(report, AuditReport | StudyReport):
            raise TypeError(f"expected {module.name} to state a REPORT, got {report!r}")
        if isinstance(report, kind) and reports.setdefault(report.file, report) is not report:
            raise ValueError(f"expected one report in {report.file}, got that of {module.name} too")
    return reports


def write_audit_reports(
    workspace: Workspace, audit: Audit, content: dict[str, Any], samples: Path, page: Path | None = None
) -> list[Path]:
    """Write all reports of an audit beside its `audit.json`.

    Args:
        workspace: of the audit.
        audit: its record.
        content: of its `audit.json`.
        samples: folder of its generations.
        page: where `report.html` is written instead.

    Returns:
        The files.
    """
    folder, paths = workspace.home / audit.folder, []
    for file, report in load_reports(AuditReport).items():
        path = page if page is not None and file == "report.html" else folder / file
        save_atomically(path, report.build(workspace, audit, content, samples).encode())
        paths.append(path)
    return paths


def write_study_reports(workspace: Workspace, study: Study, content: dict[str, Any], page: Path | None = None) -> list[Path]:
    """Write all reports of a study beside its `study.json`; arguments and answer as for `write_audit_reports`."""
    folder, paths = workspace.home / study.folder, []
    for file, report in load_reports(StudyReport).items():
        path = page if page is not None and file == "report.html" else folder / file
        save_atomically(path, report.build(workspace, study, content).encode())
        paths.append(path)
    return paths
