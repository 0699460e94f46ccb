"""How loops over pixels and vectors are compiled: with numba, without the interpreter lock, cached on disk where possible.

Compiled code is cached beside its source file, where that folder can be written (a checkout). Elsewhere it is compiled once a
process: numba raises where it finds no place for a cache, so a read-only installation goes without.
"""

import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

from numba import njit

P = ParamSpec("P")
R = TypeVar("R")

# Leave out nnan and ninf: infinities and NaN keep their meaning, and the SSIM search marks positions that do not count by
# infinity.
_FAST_MATH = frozenset({"contract", "nsz", "arcp", "reassoc"})


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function with numba; it runs without the interpreter lock.

    Args:
        function: of arrays and numbers only. What it calls stands in its own file: numba's cache does not notice a change in
            another one.

    Returns:
        The same function, compiled on its first call.
    """
    return _compile(function, _FAST_MATH)


def compiled_approximately(function: Callable[P, R]) -> Callable[P, R]:
    """Compile as `compiled` does, and allow approximate library functions (LLVM's `afn`), as copy detection was tuned with."""
    return _compile(function, _FAST_MATH | {"afn"})


def _compile(function: Callable[P, R], fast_math: frozenset[str]) -> Callable[P, R]:
    is_writable = os.access(Path(inspect.getfile(function)).parent, os.W_OK)
    # error_model numpy: a vector loop cannot stop at a zero divisor.
    compile_function: Callable[[Callable[P, R]], Callable[P, R]] = njit(
        nogil=True, cache=is_writable, error_model="numpy", fastmath=set(fast_math)
    )
    return compile_function(function)
