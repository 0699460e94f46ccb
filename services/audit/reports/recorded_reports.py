"""The report of a recorded audit or study, built from the record whenever it is requested.

Rules, in order:

1. It is built from `audit.json` as logged and from the generations that the audit judged, each checked against its digest. A
   report that lies beside them could be of others.
2. Receipts and checkpoint on the page are those of the log as it is now.
"""

from threading import Lock

from services.audit.audits.recorded_audits import load_audit_content
from services.audit.reports.registry import AuditReport, StudyReport, load_reports
from services.audit.sampling.recorded_samples import judged_samples_folder
from services.audit.studies.recorded_studies import load_study_content
from shared.records.models import Audit
from shared.records.studies import Study
from shared.workspace import Workspace

PAGE = "report.html"
# matplotlib has fonts and settings for the whole process, so pages are built one at a time.
_building = Lock()


def build_recorded_report(workspace: Workspace, audit: Audit) -> str:
    """Build the page of an audit, HTML that loads nothing from elsewhere.

    Raises:
        NotFoundError: the generations that the audit judged are gone.
        CorruptStateError: `audit.json` or a shard of the generations is damaged.
    """
    content = load_audit_content(workspace, audit)
    samples = judged_samples_folder(workspace, content)
    with _building:
        return load_reports(AuditReport)[PAGE].build(workspace, audit, content, samples)


def build_recorded_study_report(workspace: Workspace, study: Study) -> str:
    """Build the page of a study, HTML that loads nothing from elsewhere.

    Raises:
        NotFoundError: generations that are shown are gone.
        CorruptStateError: `study.json`, an `audit.json` or a shard of generations is damaged.
        InputError: all its audits are void.
    """
    with _building:
        return load_reports(StudyReport)[PAGE].build(workspace, study, load_study_content(workspace, study))
