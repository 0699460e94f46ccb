"""The directions of dependency that docs/architecture.md states, held against the imports."""

import ast
import subprocess
import sys

import pytest

from tests.support.imports import find_circles, find_sibling_imports, list_imports, list_modules
from tests.support.paths import ROOT

SERVICES = ("ingest", "audit", "output_gate")
TORCH = {"torch", "torchvision", "diffusers", "open_clip", "accelerate"}
# Modules of shared/ that bring torch; ingest may not reach them.
TORCH_MODULES = ("shared.vision.similarity", "shared.vision.embedding", "shared.vision.embedders", "shared.matching")

# What the command line brings only with the commands that need it: without, it starts in a fraction of a second.
HEAVY = {"torch", "numpy", "sqlalchemy", "httpx", "c2pa", "scipy", "fastapi"}


@pytest.mark.parametrize("service", SERVICES)
def test_services_do_not_import_each_other(service: str) -> None:
    others = tuple(f"services.{other}" for other in SERVICES if other != service)
    for path in list_modules(f"services/{service}"):
        assert not [name for name in list_imports(path) if name.startswith(others)], path


def test_no_folder_imports_itself_through_others() -> None:
    """In each folder, its parts (modules, and folders with all beneath them) import each other in one direction."""
    for folder, parts in find_sibling_imports(("services", "shared")).items():
        circle = find_circles(parts)
        assert not circle, (folder, {part: sorted(parts[part] & circle) for part in sorted(circle)})


def test_shared_imports_no_service() -> None:
    for path in list_modules("shared"):
        assert not [name for name in list_imports(path) if name.split(".")[0] in {"services", "deploy"}], path


def test_the_ledger_stands_alone() -> None:
    own = ("shared.ledger", "shared.errors", "shared.canonical", "shared.clock", "shared.files", "shared.schemas")
    for path in list_modules("shared/ledger"):
        foreign = [name for name in list_imports(path) if name.startswith(("shared", "services")) and not name.startswith(own)]
        assert not foreign, (path, foreign)
        assert not [name for name in list_imports(path) if name.split(".")[0] in TORCH | {"fastapi"}], path


def test_ingest_brings_no_torch() -> None:
    for path in list_modules("services/ingest"):
        assert not [name for name in list_imports(path) if name.split(".")[0] in TORCH or name.startswith(TORCH_MODULES)], path


@pytest.mark.parametrize(
    "start", ["services.commands.main", "services.commands.verify", *(f"services.{name}.cli" for name in SERVICES)]
)
def test_the_command_line_starts_light(start: str) -> None:
    # A process of its own: this one has long imported everything.
    script = f"import sys, {start}; print(*sys.modules)"
    printed = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert start in printed.split()
    assert not HEAVY & set(printed.split())


def test_no_assert_on_input() -> None:
    for path in [*list_modules("services"), *list_modules("shared")]:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert not [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Assert)], path


def test_modules_keep_their_size() -> None:
    for path in [*list_modules("services"), *list_modules("shared")]:
        if "migrations" in path.parts:
            continue  # a revision on record is not edited
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 400, path
