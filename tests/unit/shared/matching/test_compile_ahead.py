"""Compiling ahead reaches the loops of every module of the engine, so that the first check of a server compiles none."""

from importlib import import_module
from pkgutil import walk_packages

from numba.core.registry import CPUDispatcher

import shared.index
import shared.matching
import shared.vision
from shared.matching.compile_ahead import compile_loops

# Clusters of duplicates are made once a training set, which no check waits for.
ON_DEMAND = {"shared.vision.near_hash_pairs"}
# Called by compiled loops alone, which keep what they are compiled to.
WITHIN_LOOPS = {f"shared.matching.copy_detection.{name}" for name in ("alignment", "luma", "orientations")}


def test_every_module_with_loops_is_reached() -> None:
    compile_loops()
    modules: dict[str, bool] = {}
    for package in (shared.index, shared.matching, shared.vision):
        for module in walk_packages(package.__path__, f"{package.__name__}."):
            for loop in vars(import_module(module.name)).values():
                if isinstance(loop, CPUDispatcher) and loop.py_func.__module__ == module.name:
                    modules[module.name] = modules.get(module.name, False) or bool(loop.signatures)
    assert {module for module, is_compiled in modules.items() if not is_compiled} <= ON_DEMAND | WITHIN_LOOPS
    assert "shared.matching.copy_detection.window_sums" in modules
