"""How far a newcomer walks: files entered and parameter names met on three ways through the code.

    python -m tests.campaigns.walks

Rules, in order:

1. The ways: `POST /v1/items` until its receipt, `POST /v1/checks` until its receipt on a gate that has everything loaded, a
   study's TOML until its report.
2. Counted are the project's files of which a function runs, and the distinct names of those functions' parameters. Compiled
   code and other processes are not seen.
3. Beside it stand imports inside functions, and modules that have a test of the same name.
"""

import ast
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from fastapi.testclient import TestClient
from typer.testing import CliRunner

from services.commands.main import app as commands
from services.output_gate.opening import open_gate
from services.server.app import create_app
from shared.settings import Settings
from shared.workspace import open_workspace
from tests.support.factories import imagefolder, png, registration
from tests.support.faults.operations import GateCheck
from tests.support.paths import ROOT

SOURCES = ("services", "shared")
STUDY_PICTURES = 24


@dataclass
class Walk:
    """The code that ran."""

    codes: set[CodeType] = field(default_factory=set)

    @property
    def files(self) -> set[str]:
        """Project files of which a function ran."""
        return {code.co_filename for code in self._functions()}

    @property
    def names(self) -> set[str]:
        """Names of those functions' parameters."""
        names = {
            name
            for code in self._functions()
            for name in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
            if not name.startswith(".")
        }
        return names - {"self", "cls"}

    def _functions(self) -> Iterator[CodeType]:
        roots = tuple(f"{ROOT / source}/" for source in SOURCES)
        return (code for code in self.codes if code.co_filename.startswith(roots) and code.co_name != "<module>")


@contextmanager
def walking() -> Iterator[Walk]:
    """Note which functions run, in threads that begin within the block too."""
    walk = Walk()

    def note(frame: FrameType, event: str, _argument: Any) -> None:
        if event == "call":
            walk.codes.add(frame.f_code)

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        yield walk
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def walk_requests(folder: Path) -> dict[str, Walk]:
    """Register an item and check a copy, each once before it is measured, so that nothing is loaded for the first time."""
    settings = Settings(home=folder / "home", database_url=None)
    GateCheck().prepare(settings)
    workspace = open_workspace(settings)
    app = create_app(workspace, open_gate(workspace, patience_seconds=None))
    walks = {}
    for number in range(2):
        with walking() as walk:
            key = f"new-{number}.png"
            answer = TestClient(app, base_url="http://127.0.0.1").post(
                "/v1/items",
                files={"image": (key, png(100 + number), "image/png")},
                data={"record": registration(key).model_dump_json()},
                headers={"Idempotency-Key": key},
            )
        assert answer.status_code == 201, answer.text
        walks["item to log"] = walk
        with walking() as walk:
            answer = TestClient(app, base_url="http://127.0.0.1").post(
                "/v1/checks",
                files=[("image", ("copy.png", png(0), "image/png"))],
                data={"model": "model-a"},
                headers={"Idempotency-Key": f"check-{number}"},
            )
        assert answer.json()["decision"] == "flag", answer.text
        walks["check to receipt"] = walk
    app.state.gate.close()
    return walks


def walk_study(folder: Path) -> Walk:
    """Run the smallest study that comes along."""
    runner = CliRunner(env={"SLEEVE_HOME": str(folder / "home"), "COLUMNS": "200"})
    pictures = imagefolder(folder / "works", STUDY_PICTURES)
    added = runner.invoke(commands, ["ingest", "add", str(pictures), "--acquirer", "Ada"])
    assert added.exit_code == 0, added.output
    with walking() as walk:
        finished = runner.invoke(commands, ["audit", "study", "smoke"])
    assert not finished.exception or isinstance(finished.exception, SystemExit), finished.output
    assert list((folder / "home").glob("**/study.json")), finished.output
    return walk


def list_modules() -> list[Path]:
    """The project's modules, migrations apart, as paths below the root."""
    paths = [path.relative_to(ROOT) for source in SOURCES for path in (ROOT / source).rglob("*.py")]
    return sorted(path for path in paths if path.name != "__init__.py" and "migrations" not in path.parts)


def count_local_imports(modules: list[Path]) -> int:
    """Count import statements inside functions."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    imports = set()
    for path in modules:
        for function in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
            if isinstance(function, functions):
                nodes = [node for node in ast.walk(function) if isinstance(node, ast.Import | ast.ImportFrom)]
                imports |= {(path, node.lineno) for node in nodes}
    return len(imports)


def count_mirrored(modules: list[Path]) -> int:
    """Count modules that have a unit test at the same place."""
    return sum((ROOT / "tests" / "unit" / path.parent / f"test_{path.name}").is_file() for path in modules)


def main() -> None:
    """Walk, count and print a table."""
    with tempfile.TemporaryDirectory(prefix="sleeve-walks-") as name:
        folder = Path(name)
        walks = walk_requests(folder / "requests") | {"study to report": walk_study(folder / "study")}
    modules = list_modules()
    rows = [f"| {name} | {len(walk.files)} | {len(walk.names)} |" for name, walk in walks.items()]
    sys.stdout.write("\n".join(["| walk | files | names |", "|---|---|---|", *rows]) + "\n\n")
    sys.stdout.write(f"modules: {len(modules)}, with a mirrored test: {count_mirrored(modules)}\n")
    sys.stdout.write(f"imports inside functions: {count_local_imports(modules)}\n")
    if "--files" in sys.argv:
        for name, walk in walks.items():
            files = "\n".join(sorted(str(Path(file).relative_to(ROOT)) for file in walk.files))
            sys.stdout.write(f"\n{name}\n{files}\n{', '.join(sorted(walk.names))}\n")


if __name__ == "__main__":
    main()
