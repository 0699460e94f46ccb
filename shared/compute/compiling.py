"""How loops over pixels and vectors are compiled: with numba, without the interpreter lock, and always run from the cache.

A loop is compiled in a subprocess, written to the cache, and loaded from there. A process that compiled it itself would get
other last bits than one that loads it. It would hold each inner function twice: by itself, and as its caller's copy, which
LLVM optimised again. Both have one name, and the first that was loaded is called. A process that loads has the copy alone.

The cache lies in `NUMBA_CACHE_DIR` where that is set, else beside the source file (a checkout), else in the user's own cache.
Where none of these can be written, it lies in a temporary folder that ends with the process.
"""

import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import numba
from numba import njit
from numba.core.caching import FunctionCache

P = ParamSpec("P")
R = TypeVar("R")

# Leave out nnan and ninf: infinities and NaN keep their meaning, and the SSIM search marks positions that do not count by
# infinity.
_FAST_MATH = frozenset({"contract", "nsz", "arcp", "reassoc"})
# Of the process that compiles for others, so that it starts no further one.
COMPILES_FOR_OTHERS = "SLEEVE_COMPILES_FOR_OTHERS"
# numba has no types.
_config: Any = numba.config
_temporary_folder: tempfile.TemporaryDirectory[str] | None = None


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
    # error_model numpy: a vector loop cannot stop at a zero divisor.
    dispatcher: Any = njit(nogil=True, error_model="numpy", fastmath=set(fast_math))(function)
    if not _config.DISABLE_JIT:
        # What `njit(cache=True)` sets.
        dispatcher._cache = _open_cache(function)  # noqa: SLF001 - numba names no other way
    compiled_function: Callable[P, R] = dispatcher
    return compiled_function


# numba has no types.
_FunctionCache: Any = FunctionCache


class _FilledCache(_FunctionCache):  # type: ignore[misc]
    """A function's cache, which a subprocess fills where it lacks a signature."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Load the code for a signature, compiled before or in a subprocess; None where it has to be compiled here."""
        loaded = super().load_overload(sig, target_context)
        if loaded is None and _compile_in_subprocess(self._py_func, sig):
            loaded = super().load_overload(sig, target_context)
        return loaded


def _open_cache(function: Callable[P, R]) -> Any:
    try:
        return _FilledCache(function)
    except RuntimeError:
        # No folder can be written. The object is removed with its folder when the process ends.
        global _temporary_folder  # noqa: PLW0603
        _temporary_folder = tempfile.TemporaryDirectory(prefix="sleeve-loops-")
        _config.CACHE_DIR = _temporary_folder.name
        return _FilledCache(function)


def _compile_in_subprocess(function: Callable[P, R], signature: Any) -> bool:
    """Compile a function of a module for a signature; say whether that was possible."""
    if COMPILES_FOR_OTHERS in os.environ or function.__module__ == "__main__" or "<locals>" in function.__qualname__:
        return False
    environment = os.environ | {COMPILES_FOR_OTHERS: "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    if _config.CACHE_DIR:
        environment["NUMBA_CACHE_DIR"] = _config.CACHE_DIR
    request = pickle.dumps((function.__module__, function.__qualname__, signature))
    command = [sys.executable, "-m", "shared.compute.compile_function"]
    try:
        completed = subprocess.run(  # noqa: S603 - this very interpreter
            command, input=request, env=environment, check=False, capture_output=True
        )
    except OSError:
        return False
    return completed.returncode == 0
