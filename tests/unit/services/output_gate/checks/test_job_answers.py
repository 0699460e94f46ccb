"""Jobs of checks as they are answered."""

import pytest

from services.output_gate.checks.batches import queue_checks
from services.output_gate.checks.job_answers import show_check_job
from services.output_gate.checks.submission import SubmittedImage
from shared.errors import NotFoundError
from shared.records.jobs import add_job
from tests.support.factories import png
from tests.support.memory_gate import MemoryWorld


def test_a_job_of_another_kind_is_none_of_checks(world: MemoryWorld) -> None:
    job = queue_checks(world.workspace, "model-a", [SubmittedImage(None, png(1))], None)
    assert show_check_job(world.workspace, job.id).model == "model-a"
    with world.workspace.writing() as session:
        other = add_job(session, "archive.capture", {})
    for job_id in (other.id, "nothing"):
        with pytest.raises(NotFoundError):
            show_check_job(world.workspace, job_id)
