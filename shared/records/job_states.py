"""The states of a job, apart from its table, so that the command line knows them without a database."""

from typing import Literal

JobState = Literal["queued", "running", "done", "failed", "cancelled"]
