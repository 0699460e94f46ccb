"""Work over the cores: compiled loops and transforms release the interpreter lock, so threads are enough."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np

R = TypeVar("R")


def usable_cores() -> int:
    """Return how many cores this process may use, at least 1."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cut_evenly(length: int, parts: int) -> list[tuple[int, int]]:
    """Cut 0..length into at most `parts` ranges of nearly equal size, none empty.

    >>> cut_evenly(5, 2)
    [(0, 2), (2, 5)]
    """
    edges = np.linspace(0, length, min(parts, length) + 1).astype(int).tolist()
    return list(pairwise(edges))


def in_threads(work: Callable[..., R], parts: Sequence[tuple[Any, ...]]) -> list[R]:
    """Do the work of every part, on all cores, and return what each gave, in order.

    >>> in_threads(lambda a, b: a + b, [(1, 2), (3, 4)])
    [3, 7]
    """
    if len(parts) <= 1 or usable_cores() == 1:
        return [work(*part) for part in parts]
    with ThreadPoolExecutor(usable_cores()) as pool:
        return [done.result() for done in [pool.submit(work, *part) for part in parts]]
