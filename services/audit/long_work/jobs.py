"""The jobs of the audit by kind. A new kind is a request, its work, and a line here."""

from collections.abc import Mapping

from services.audit.long_work.apart import run_apart
from services.audit.long_work.requests import AUDIT, STUDY, TRAINING
from services.audit.long_work.work import audit_as_asked, study_as_asked, train_as_asked
from shared.jobs import JobRunner

AUDIT_JOBS: Mapping[str, JobRunner] = {
    TRAINING: run_apart(train_as_asked),
    AUDIT: run_apart(audit_as_asked),
    STUDY: run_apart(study_as_asked),
}
