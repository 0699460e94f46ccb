"""Compiled loops: infinities and NaN keep their meaning, a zero divisor raises nothing, the cache lies beside the source."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from shared.compute.compiling import compiled, compiled_approximately
from tests.support.paths import ROOT

SOURCE = """
from shared.compute.compiling import compiled

@compiled
def double(number):
    return 2 * number

if __name__ == "__main__":
    print(double(21))
"""


@pytest.mark.parametrize("compile_function", [compiled, compiled_approximately])
def test_infinities_and_nan_keep_their_meaning(compile_function: object) -> None:
    assert callable(compile_function)

    def divide(a: float, b: float) -> float:
        return a / b

    quotient = compile_function(divide)
    assert quotient(1.0, 0.0) == np.inf
    assert np.isnan(quotient(0.0, 0.0))
    assert quotient(1.0, 4.0) == 0.25


def test_the_compiled_form_is_cached_beside_its_own_source(tmp_path: Path) -> None:
    (tmp_path / "doubling.py").write_text(SOURCE, encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    printed = subprocess.run(
        [sys.executable, str(tmp_path / "doubling.py")],
        env=environment | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert printed.strip() == "42"
    assert [*(tmp_path / "__pycache__").glob("doubling.double-*.nbi")]


DIGEST = """
import hashlib
import numpy as np
from shared.matching.copy_detection.luma import fill_pyramid

view = np.random.default_rng(0).integers(0, 256, (3, 64, 64), dtype=np.uint8)
levels = [np.empty((side, side), np.float32) for side in (64, 32, 16)]
fill_pyramid(view, True, *levels)
print(hashlib.sha256(b"".join(level.tobytes() for level in levels)).hexdigest())
"""


def test_a_process_that_finds_no_cache_gets_the_same_last_bits_as_one_that_loads_it(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "NUMBA_CACHE_DIR": str(tmp_path)}
    digests = [
        subprocess.run(
            [sys.executable, "-c", DIGEST], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    ]
    assert digests[0] == digests[1]


def test_without_a_folder_for_the_cache_loops_are_loaded_from_a_temporary_one(tmp_path: Path) -> None:
    (tmp_path / "doubling.py").write_text(SOURCE, encoding="utf-8")
    # No folder of the user's, and no place for one beside the source: a file lies where it would be.
    (tmp_path / "__pycache__").write_bytes(b"")
    environment = {name: value for name, value in os.environ.items() if name not in {"NUMBA_CACHE_DIR", "XDG_CACHE_HOME"}}
    script = "import doubling, numba; print(doubling.double(21), numba.config.CACHE_DIR)"
    printed = subprocess.run(
        [sys.executable, "-c", script],
        env=environment | {"PYTHONPATH": f"{ROOT}:{tmp_path}", "HOME": "/dev/null", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert printed[0] == "42"
    assert "sleeve-loops-" in printed[1]
    assert not Path(printed[1]).exists()
