"""The application answers what its description says, whatever it is asked: Schemathesis over all operations.

A few random requests an operation, the same in every run; `make fuzz` sends many, all boundaries and chains of requests, and
writes docs/results/fuzz.json.
"""

import shutil
from pathlib import Path

import pytest

from tests.e2e.conftest import Audited, audited
from tests.support.fuzzing import fuzz, serving

__all__ = ["audited"]

EXAMPLES = 2
SEED = 1
TIMEOUT_SECONDS = 900.0


# Some seconds on a free machine, after the audited model that other tests use as well; minutes on a busy one.
@pytest.mark.timeout(1200)
def test_every_operation_answers_as_described(audited: Audited, tmp_path: Path) -> None:
    shutil.copytree(audited.home, tmp_path / "home")
    with serving(tmp_path / "home") as served:
        done = fuzz(
            served.url, tmp_path, examples=EXAMPLES, phases="examples,fuzzing", seed=SEED, timeout_seconds=TIMEOUT_SECONDS
        )
    assert done.succeeded, done.output
