"""Kinds of jobs have names of their own, and are seen by who may start one."""

import pytest

from services.server.job_kinds import JOB_KINDS, JOB_SCOPES, verify_sees_job, visible_kinds
from shared.auth.caller import ANYONE, OPERATOR, Caller
from shared.auth.scopes import SCOPES
from shared.errors import ForbiddenError


def test_every_kind_has_a_name_of_its_own_and_a_scope_that_exists() -> None:
    names = [kind.name for kind in JOB_KINDS]
    assert len(set(names)) == len(names)
    assert set(JOB_SCOPES) <= set(SCOPES)


def test_a_caller_sees_the_kinds_that_its_scopes_start() -> None:
    auditor = Caller("key", frozenset({"audits:run"}))
    assert visible_kinds(auditor) == ["model.training", "model.audit", "study"]
    assert visible_kinds(ANYONE) == []
    assert visible_kinds(OPERATOR) is None
    verify_sees_job(auditor, "study")
    verify_sees_job(OPERATOR, "a kind of an older version")
    with pytest.raises(ForbiddenError, match=r"archive\.capture"):
        verify_sees_job(auditor, "archive.capture")
