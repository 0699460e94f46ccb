"""The directions of dependency that docs/architecture.md states, held against the imports."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.paths import ROOT

SERVICES = ("ingest", "audit", "output_gate")
TORCH = {"torch", "torchvision", "diffusers", "open_clip", "accelerate"}
# Modules of shared/ that bring torch; ingest may not reach them.
TORCH_MODULES = ("shared.vision.similarity", "shared.vision.embedding", "shared.matching")

# What the command line brings only with the commands that need it: without, it starts in a fraction of a second.
HEAVY = {"torch", "numpy", "sqlalchemy", "httpx", "c2pa", "scipy", "fastapi"}


def modules(folder: str) -> list[Path]:
    found = sorted((ROOT / folder).rglob("*.py"))
    assert found
    return found


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import in {path}"
            yield node.module or ""


@pytest.mark.parametrize("service", SERVICES)
def test_services_do_not_import_each_other(service: str) -> None:
    others = tuple(f"services.{other}" for other in SERVICES if other != service)
    for path in modules(f"services/{service}"):
        assert not [name for name in imports(path) if name.startswith(others)], path


def test_shared_imports_no_service() -> None:
    for path in modules("shared"):
        assert not [name for name in imports(path) if name.split(".")[0] in {"services", "deploy"}], path


def test_the_ledger_stands_alone() -> None:
    own = ("shared.ledger", "shared.errors", "shared.canonical", "shared.clock", "shared.files")
    for path in modules("shared/ledger"):
        foreign = [name for name in imports(path) if name.startswith(("shared", "services")) and not name.startswith(own)]
        assert not foreign, (path, foreign)
        assert not [name for name in imports(path) if name.split(".")[0] in TORCH | {"fastapi"}], path


def test_ingest_brings_no_torch() -> None:
    for path in modules("services/ingest"):
        assert not [name for name in imports(path) if name.split(".")[0] in TORCH or name.startswith(TORCH_MODULES)], path


@pytest.mark.parametrize("start", ["services.commands.main", "services.commands.main, shared.ledger.membership"])
def test_the_command_line_starts_light(start: str) -> None:
    # A process of its own: this one has long imported everything.
    script = f"import sys, {start}; print(*sys.modules)"
    printed = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "services.ingest.cli" in printed.split()
    assert not HEAVY & set(printed.split())


def test_no_assert_on_input() -> None:
    for path in [*modules("services"), *modules("shared")]:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert not [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Assert)], path


def test_modules_keep_their_size() -> None:
    for path in [*modules("services"), *modules("shared")]:
        if "migrations" in path.parts:
            continue  # a revision on record is not edited
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 400, path
