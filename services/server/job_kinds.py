"""The kinds of jobs that the server runs, and which jobs a caller sees.

Rules, in order:

1. A key that may start jobs of a kind sees and cancels those that it started.
2. A key with the kind's reading scope sees the jobs of everyone. It cancels them where it may start such jobs as well.
3. The operator sees and cancels every job.
"""

from dataclasses import dataclass
from typing import Any

from services.audit.jobs.kinds import AUDIT_JOBS
from services.ingest.archive.jobs import ARCHIVE_JOBS
from services.output_gate.checks.batches import CHECK_JOBS
from services.output_gate.webhooks.delivery import WEBHOOK_JOBS
from shared.auth.caller import OPERATOR, Caller
from shared.auth.scopes import Scope
from shared.errors import ForbiddenError
from shared.jobs.kind import JobKind
from shared.records.jobs import Job

JOB_KINDS: tuple[JobKind[Any], ...] = (*ARCHIVE_JOBS, *CHECK_JOBS, *WEBHOOK_JOBS, *AUDIT_JOBS)
# Any of them lets its holder ask for jobs; which ones are shown depends on their kind and on who started them.
STARTING_SCOPES: tuple[Scope, ...] = tuple(sorted({kind.scope for kind in JOB_KINDS}))
JOB_SCOPES: tuple[Scope, ...] = tuple(sorted({*STARTING_SCOPES, *(kind.reading_scope for kind in JOB_KINDS)}))


@dataclass(frozen=True)
class VisibleKinds:
    """Kinds of jobs by how much of them a caller sees: everyone's (None for every kind), or only its own."""

    everyones: list[str] | None
    own: list[str]


def visible_kinds(caller: Caller) -> VisibleKinds:
    """Return of which kinds a caller sees every job, and of which its own."""
    if caller is OPERATOR:
        return VisibleKinds(None, [])
    return VisibleKinds(
        [kind.name for kind in JOB_KINDS if caller.holds(kind.reading_scope)],
        [kind.name for kind in JOB_KINDS if caller.holds(kind.scope)],
    )


def verify_sees_job(caller: Caller, job: Job) -> None:
    """Check that a caller may see a job.

    Raises:
        ForbiddenError: it is another key's, and the caller may not read every job of its kind.
    """
    # A job of a kind that an older version had is the operator's alone.
    kind = _find_kind(job)
    if caller is not OPERATOR and (kind is None or not kind.is_visible_to(caller, job)):
        scope = f" or one with the scope {kind.reading_scope}" if kind else ""
        raise ForbiddenError(f"expected the key that asked for the job of the kind {job.kind}{scope}", code="job_not_yours")


def verify_may_cancel(caller: Caller, job: Job) -> None:
    """Check that a caller may cancel a job.

    Raises:
        ForbiddenError: the caller does not see it, or may not start jobs of its kind.
    """
    verify_sees_job(caller, job)
    kind = _find_kind(job)
    if caller is not OPERATOR and kind is not None and not caller.holds(kind.scope):
        raise ForbiddenError(f"expected a key with the scope {kind.scope}", code="scope_missing")


def _find_kind(job: Job) -> JobKind[Any] | None:
    return next((kind for kind in JOB_KINDS if kind.name == job.kind), None)
