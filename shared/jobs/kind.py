"""Kinds of jobs: each is declared once, in the service that runs it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from shared.auth.caller import OPERATOR, Caller
from shared.auth.scopes import Scope
from shared.jobs.run import JobRun
from shared.records.jobs import Job

Context = TypeVar("Context")


@dataclass(frozen=True)
class JobKind(Generic[Context]):
    """A kind of job.

    Args:
        name: its name on record, such as `archive.capture`.
        scope: what a key needs to start such jobs, and to see and cancel those that it started.
        reading_scope: what a key needs to see the jobs of everyone.
        run: does the work of a job, given what the worker works on (a workspace, or a gate). It is called again after a kill,
            and goes on behind the steps that are on record. It returns ids or paths of what came of the job, by their names.
    """

    name: str
    scope: Scope
    reading_scope: Scope
    run: Callable[[Context, JobRun], Mapping[str, str] | None]

    def is_visible_to(self, caller: Caller, job: Job) -> bool:
        """Say whether a caller sees a job of this kind: its own, or everyone's."""
        if caller is OPERATOR or caller.holds(self.reading_scope):
            return True
        return caller.holds(self.scope) and job.key_id == caller.key_id
