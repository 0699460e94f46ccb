"""How the loops of this package are compiled: without the interpreter lock, kept on disk where that is possible."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

from numba import njit

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function with numba; it runs without the interpreter lock."""
    # numba raises where it cannot write beside the source: a read-only installation compiles once a process.
    kept = os.access(Path(__file__).parent, os.W_OK)
    # error_model numpy: a vector loop cannot stop at a zero divisor. Infinities and NaN keep their meaning.
    fast = {"contract", "nsz", "arcp", "reassoc", "afn"}
    made: Callable[P, R] = njit(nogil=True, cache=kept, error_model="numpy", fastmath=fast)(function)
    return made
