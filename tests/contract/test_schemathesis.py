"""The application answers what its description says, whatever it is asked: Schemathesis over all operations.

Runs where SLEEVE_TEST_FUZZ is set, with a few random requests an operation; `make fuzz` sends two hundred, and all boundaries,
and writes docs/results/fuzz.json.
"""

import os
import shutil
from pathlib import Path

import pytest

from tests.e2e.conftest import Audited, audited
from tests.fuzzing import fuzz, serving

__all__ = ["audited"]

EXAMPLES = 2
SEED = 1
TIMEOUT_SECONDS = 900.0


# Some seconds of requests on a free machine; a server and an audited model before that.
@pytest.mark.skipif("SLEEVE_TEST_FUZZ" not in os.environ, reason="minutes on a busy machine: set SLEEVE_TEST_FUZZ to run it")
@pytest.mark.timeout(1200)
def test_every_operation_answers_as_described(audited: Audited, tmp_path: Path) -> None:
    shutil.copytree(audited.home, tmp_path / "home")
    with serving(tmp_path / "home") as url:
        done = fuzz(url, tmp_path, examples=EXAMPLES, phases="examples,fuzzing", seed=SEED, timeout_seconds=TIMEOUT_SECONDS)
    assert done.succeeded, done.output
