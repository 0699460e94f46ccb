"""The jobs of the audit by kind. A new kind is a request, its work, and a line here."""

from services.audit.jobs.requests import AUDIT, STUDY, TRAINING
from services.audit.jobs.subprocess_job import run_apart
from services.audit.jobs.tasks import audit_as_asked, study_as_asked, train_as_asked
from shared.jobs.kind import JobKind
from shared.workspace import Workspace

AUDIT_JOBS: tuple[JobKind[Workspace], ...] = (
    JobKind(TRAINING, "audits:run", run_apart(train_as_asked)),
    JobKind(AUDIT, "audits:run", run_apart(audit_as_asked)),
    JobKind(STUDY, "audits:run", run_apart(study_as_asked)),
)
