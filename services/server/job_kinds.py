"""The kinds of jobs that the server runs, and which of them a caller sees.

Who may start jobs of a kind sees and cancels every job of that kind, with its answer. The operator sees every job.
"""

from typing import Any

from services.audit.jobs.kinds import AUDIT_JOBS
from services.ingest.archive.jobs import ARCHIVE_JOBS
from services.output_gate.checks.batches import CHECK_JOBS
from services.output_gate.webhooks.delivery import WEBHOOK_JOBS
from shared.auth.caller import OPERATOR, Caller
from shared.auth.scopes import Scope
from shared.errors import ForbiddenError
from shared.jobs.kind import JobKind

JOB_KINDS: tuple[JobKind[Any], ...] = (*ARCHIVE_JOBS, *CHECK_JOBS, *WEBHOOK_JOBS, *AUDIT_JOBS)
# Any of them lets its holder ask for jobs; which ones are shown depends on their kind.
JOB_SCOPES: tuple[Scope, ...] = tuple(sorted({kind.scope for kind in JOB_KINDS}))


def visible_kinds(caller: Caller) -> list[str] | None:
    """Return the names of the kinds of jobs that a caller sees; None for every kind."""
    return None if caller is OPERATOR else [kind.name for kind in JOB_KINDS if caller.holds(kind.scope)]


def verify_sees_job(caller: Caller, name: str) -> None:
    """Check that a caller may see and cancel jobs of a kind.

    Raises:
        ForbiddenError: the caller could not start one of this kind.
    """
    visible = visible_kinds(caller)
    if visible is not None and name not in visible:
        raise ForbiddenError(f"expected a key that may start jobs of the kind {name}", code="job_not_yours")
