"""How loops over pixels are compiled: once, kept where that is possible, and run without the interpreter lock."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

from numba import njit

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function; it runs without the interpreter lock.

    Args:
        function: of arrays and numbers only. What it calls stands in its own file: a kept form does not notice a change in
            another one.

    Returns:
        The same function, compiled on its first call.
    """
    # The compiled form is kept beside this file where that folder can be written (a checkout) and nowhere
    # else: numba raises where it finds no place, and a read-only installation must only compile once a
    # process.
    kept = os.access(Path(__file__).parent, os.W_OK)
    # error_model numpy: a vector loop cannot stop at a zero divisor. fastmath without nnan and ninf: the SSIM search
    # marks positions that do not count by infinity.
    fast = {"contract", "nsz", "arcp", "reassoc"}
    made: Callable[P, R] = njit(nogil=True, cache=kept, error_model="numpy", fastmath=fast)(function)
    return made
