"""The report of a recorded audit or study, built from what is on record whenever it is asked for.

Rules, in order:

1. It is built from `audit.json` as logged and from the generations that it judged, each held against its digest; a file that
   lay about since could be another.
2. Receipts and checkpoint on the page are those of the log as it is now.
"""

from threading import Lock

from services.audit.audits.recorded_audits import load_audit_content
from services.audit.sampling.recorded_samples import judged_samples_folder
from services.audit.studies.recorded_studies import load_study_content
from shared.records.models import Audit
from shared.records.studies import Study
from shared.workspace import Workspace

# matplotlib keeps fonts and settings for the whole process; one page at a time.
_one_at_a_time = Lock()


def build_recorded_report(workspace: Workspace, audit: Audit) -> str:
    """Build the page, HTML that loads nothing from elsewhere.

    Raises:
        NotFoundError: the generations that the audit judged are not kept.
        CorruptStateError: `audit.json` or a shard of the generations is damaged.
    """
    # Imported here because it brings matplotlib, which a server needs for nothing else.
    from services.audit.reports.audit_report import build_report

    content = load_audit_content(workspace, audit)
    folder = judged_samples_folder(workspace, content)
    with _one_at_a_time:
        return build_report(workspace, [(audit, content, folder)])


def build_recorded_study_report(workspace: Workspace, study: Study) -> str:
    """Build the page of a study, HTML that loads nothing from elsewhere.

    Raises:
        NotFoundError: generations that are shown are not kept.
        CorruptStateError: `study.json`, an `audit.json` or a shard of generations is damaged.
        InputError: all its audits are void.
    """
    # As above.
    from services.audit.reports.study_report import build_study_report

    with _one_at_a_time:
        return build_study_report(workspace, study, load_study_content(workspace, study))
