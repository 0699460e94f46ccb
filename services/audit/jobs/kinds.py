"""The jobs of the audit by kind. A new kind is a request, its work, and a line here."""

from collections.abc import Mapping

from services.audit.jobs.requests import AUDIT, STUDY, TRAINING
from services.audit.jobs.subprocess_job import run_apart
from services.audit.jobs.tasks import audit_as_asked, study_as_asked, train_as_asked
from shared.job_worker import JobRunner

AUDIT_JOBS: Mapping[str, JobRunner] = {
    TRAINING: run_apart(train_as_asked),
    AUDIT: run_apart(audit_as_asked),
    STUDY: run_apart(study_as_asked),
}
