"""Work spread over the cores by threads: compiled loops and transforms release the interpreter lock, so threads are enough."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np

R = TypeVar("R")


# What `limited_cores` allows; None is every core of the process.
_MOST_CORES: ContextVar[int | None] = ContextVar("most_cores", default=None)


def usable_cores() -> int:
    """Return how many cores this process may use, at least 1."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, _MOST_CORES.get() or cores)


@contextmanager
def limited_cores(count: int) -> Iterator[None]:
    """Use at most `count` cores, at least 1, for the work that this thread begins inside the block.

    >>> with limited_cores(1):
    ...     usable_cores()
    1
    """
    token = _MOST_CORES.set(count)
    try:
        yield
    finally:
        _MOST_CORES.reset(token)


def cut_evenly(length: int, parts: int) -> list[tuple[int, int]]:
    """Cut 0..length into at most `parts` ranges of nearly equal size, none empty.

    >>> cut_evenly(5, 2)
    [(0, 2), (2, 5)]
    """
    edges = np.linspace(0, length, min(parts, length) + 1).astype(int).tolist()
    return list(pairwise(edges))


def in_threads(work: Callable[..., R], parts: Sequence[tuple[Any, ...]]) -> list[R]:
    """Call `work` with each part, on all cores, and return the results in the order of the parts.

    >>> in_threads(lambda a, b: a + b, [(1, 2), (3, 4)])
    [3, 7]
    """
    if len(parts) <= 1 or usable_cores() == 1:
        return [work(*part) for part in parts]
    with ThreadPoolExecutor(usable_cores()) as pool:
        return [done.result() for done in [pool.submit(work, *part) for part in parts]]
