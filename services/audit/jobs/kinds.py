"""The jobs of the audit by kind. A new kind is a request (`requests`), a task (`tasks`), and a line here."""

from services.audit.jobs.requests import AUDIT, SEALING, STUDY, TRAINING
from services.audit.jobs.subprocess_job import run_in_subprocess
from services.audit.jobs.tasks import audit_task, sealing_task, study_task, training_task
from shared.jobs.kind import JobKind
from shared.workspace import Workspace

AUDIT_JOBS: tuple[JobKind[Workspace], ...] = (
    JobKind(SEALING, "manifests:write", "manifests:read", run_in_subprocess(sealing_task)),
    JobKind(TRAINING, "audits:run", "audits:read", run_in_subprocess(training_task)),
    JobKind(AUDIT, "audits:run", "audits:read", run_in_subprocess(audit_task)),
    JobKind(STUDY, "audits:run", "audits:read", run_in_subprocess(study_task)),
)
