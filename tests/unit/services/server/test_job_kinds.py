"""Kinds of jobs have names of their own; jobs are seen by who asked for them and by who may read all of a kind."""

import pytest

from services.server.job_kinds import JOB_KINDS, JOB_SCOPES, VisibleKinds, verify_may_cancel, verify_sees_job, visible_kinds
from shared.auth.caller import ANYONE, OPERATOR, Caller
from shared.auth.scopes import SCOPES
from shared.errors import ForbiddenError
from shared.records.jobs import Job


def test_every_kind_has_a_name_of_its_own_and_a_scope_that_exists() -> None:
    names = [kind.name for kind in JOB_KINDS]
    assert len(set(names)) == len(names)
    assert set(JOB_SCOPES) <= set(SCOPES)


def test_a_caller_sees_its_own_jobs_and_those_that_its_scopes_read() -> None:
    auditor = Caller("auditor", frozenset({"audits:run"}))
    reader = Caller("reader", frozenset({"audits:read", "outputs:read"}))
    assert visible_kinds(auditor) == VisibleKinds([], ["model.training", "model.audit", "study"])
    assert visible_kinds(reader) == VisibleKinds(["checks", "model.training", "model.audit", "study"], [])
    assert visible_kinds(ANYONE) == VisibleKinds([], [])
    assert visible_kinds(OPERATOR) == VisibleKinds(None, [])


def test_a_job_is_shown_to_its_key_and_to_readers_and_cancelled_by_who_may_start_such_jobs() -> None:
    starter = Caller("starter", frozenset({"audits:run"}))
    reader = Caller("reader", frozenset({"audits:read"}))
    job = Job(kind="study", request={}, key_id="starter")
    for caller in (starter, reader, OPERATOR):
        verify_sees_job(caller, job)
    verify_may_cancel(starter, job)
    with pytest.raises(ForbiddenError, match="audits:run"):
        verify_may_cancel(reader, job)
    with pytest.raises(ForbiddenError, match="the key that asked"):
        verify_sees_job(starter, Job(kind="study", request={}, key_id="another"))
    with pytest.raises(ForbiddenError, match="of the kind outdated"):
        verify_sees_job(starter, Job(kind="outdated", request={}, key_id="starter"))
    verify_sees_job(OPERATOR, Job(kind="outdated", request={}))
