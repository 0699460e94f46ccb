"""Who imports whom: the project's modules, what each imports, and which parts of a folder import each other in a circle."""

import ast
import sys
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
def find_modules(folders: tuple[str, ...]) -> dict[str, Path]:
    """Return the files of the modules in some folders and beneath them, by the modules' names in full."""
    return {".".join(path.relative_to(ROOT).with_suffix("").parts): path for name in folders for path in list_modules(name)}


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
    modules = find_modules(folders)
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


def find_libraries(start: str, folders: tuple[str, ...] = ("services", "shared")) -> dict[str, str]:
    """Return the libraries that a module imports, itself or through others of the project, and who imports each.

    Imports within functions count: what is chosen by a setting has to be installed as well.

    Args:
        start: the module's name in full.
        folders: where the project's modules are.
    """
    modules = find_modules(folders)
    libraries: dict[str, str] = {}
    waiting, seen = [start], {start}
    while waiting:
        importer = waiting.pop()
        names = list_imports(modules[importer])
        for name in names:
            top = name.partition(".")[0]
            if top not in sys.stdlib_module_names and top not in folders:
                libraries.setdefault(top, importer)
        parents = (f"{importer.rpartition('.')[0]}.__init__",)
        beyond = {module for module in (*_resolve(names, modules), *parents) if module in modules} - seen
        seen |= beyond
        waiting.extend(beyond)
    return libraries


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
