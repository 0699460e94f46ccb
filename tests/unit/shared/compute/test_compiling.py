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
