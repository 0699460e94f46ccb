"""The registry of reports: every module of the folder is one, each is documented, and what does not fit is an error."""

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from services.audit.reports import registry
from services.audit.reports.registry import AuditReport, StudyReport, load_reports
from tests.support.paths import ROOT

MODULES = sorted(path.stem for path in (ROOT / "services/audit/reports/kinds").glob("*_report.py"))


def test_every_module_is_a_report() -> None:
    reports = [*load_reports(AuditReport).values(), *load_reports(StudyReport).values()]
    assert len(reports) == len(MODULES) >= 2
    assert "report.html" in load_reports(AuditReport)
    assert "report.html" in load_reports(StudyReport)


@pytest.mark.parametrize("module", MODULES)
def test_every_report_has_a_row_in_the_documents(module: str) -> None:
    page = (ROOT / "docs/methods/audit.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| ([a-z -]+ report) \| `([^`]+)` \|", page, re.MULTILINE))
    report = sys.modules[f"services.audit.reports.kinds.{module}"].REPORT
    assert rows[module.replace("_", " ")] == report.file


def add_module(folder: Path, name: str, report: object, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / f"{name}.py").touch()
    module = ModuleType(name)
    module.REPORT = report  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, f"services.audit.reports.kinds.{name}", module)


def test_two_reports_in_one_file_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_FOLDER", tmp_path)
    for name in ("first_report", "second_report"):
        add_module(tmp_path, name, AuditReport("copies.csv", lambda *_: ""), monkeypatch)
    with pytest.raises(ValueError, match=r"copies\.csv"):
        load_reports(AuditReport)
    assert load_reports(StudyReport) == {}


def test_a_module_without_a_report_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_FOLDER", tmp_path)
    add_module(tmp_path, "empty_report", None, monkeypatch)
    with pytest.raises(TypeError, match="empty_report"):
        load_reports(AuditReport)
