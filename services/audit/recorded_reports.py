"""The report of a recorded audit, built from what is on record whenever it is asked for.

Rules, in order:

1. It is built from `audit.json` as logged and from the generations that it judged, each held against its digest; a file that
   lay about since could be another.
2. Receipts and checkpoint on the page are those of the log as it is now.
"""

from threading import Lock

from services.audit.recorded_audits import load_audit_content
from services.audit.sample_shards import load_settings, samples_folder
from shared.errors import NotFoundError
from shared.records.models import Audit
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
    drawn = content["sampling"]
    name = content["model"]["name"]
    folder = samples_folder(workspace, name, drawn["count"], drawn["seed"], drawn["steps"], sampler=drawn["sampler"])
    if load_settings(folder) != drawn:
        raise NotFoundError(f"generations of audit {audit.id} are not kept: expected {folder.name}", code="samples_not_found")
    with _one_at_a_time:
        return build_report(workspace, [(audit, content, folder)])
