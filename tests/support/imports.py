"""Who imports whom: the project's modules, what each imports, and which parts of a folder import each other in a circle."""

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from tests.support.paths import ROOT

# A folder, and for each part of it (a module, or a folder with all beneath it) the parts beside it that it imports.
Siblings = dict[str, dict[str, set[str]]]


def list_modules(folder: str) -> list[Path]:
    """Return the Python files of a folder and of all beneath it."""
    paths = sorted((ROOT / folder).rglob("*.py"))
    assert paths, folder
    return paths


@cache
def list_imports(path: Path) -> tuple[str, ...]:
    """Return what a file imports, each name in full: `from a import b` is `a.b`."""
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.extend(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import in {path}"
            names.extend(f"{node.module}.{alias.name}" for alias in node.names)
    return tuple(names)


def find_sibling_imports(folders: tuple[str, ...]) -> Siblings:
    """Return, for every folder, which of its parts import which others."""
    modules = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for name in folders for path in list_modules(name)}
    siblings: Siblings = defaultdict(lambda: defaultdict(set))
    for importer, path in modules.items():
        for imported in _resolve(list_imports(path), modules):
            here, there = importer.split("."), imported.split(".")
            depth = next((depth for depth, (a, b) in enumerate(zip(here, there, strict=False)) if a != b), None)
            if depth is not None:
                siblings["/".join(here[:depth])][here[depth]].add(there[depth])
    return siblings


def _resolve(names: tuple[str, ...], modules: Mapping[str, Path]) -> Iterator[str]:
    """Yield the modules that names belong to; the names of other libraries are left out."""
    for name in names:
        package = name.rpartition(".")[0]
        for candidate in (name, f"{name}.__init__", package, f"{package}.__init__"):
            if candidate in modules:
                yield candidate
                break


def find_circles(siblings: Mapping[str, set[str]]) -> set[str]:
    """Return the parts that import themselves through others.

    >>> sorted(find_circles({"a": {"b"}, "b": {"c"}, "c": {"b"}}))
    ['b', 'c']
    """
    return {part for part in siblings if part in _reach(part, siblings)}


def _reach(start: str, siblings: Mapping[str, set[str]]) -> set[str]:
    reached: set[str] = set()
    waiting = [start]
    while waiting:
        beyond = siblings.get(waiting.pop(), set()) - reached
        reached |= beyond
        waiting.extend(beyond)
    return reached
