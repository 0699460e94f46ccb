"""The page docs/commands.md, written from the command line: `python -m services.commands.reference_page docs/commands.md`."""

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main

from services.commands.main import app
from shared.command_line.groups import load_subcommand

HEAD = """# Commands

Every command with its arguments and options, as `sleeve COMMAND --help` prints them. This page is written by `make commands`;
a test holds it against the command line. Where to begin: [start](start.md). All state is in the folder that `SLEEVE_HOME`
names, `./sleeve-data` by default; [settings.md](settings.md) lists the other settings.
"""


# Level of the headings of `sleeve ingest` and its like.
TOP = 2


def build_page() -> str:
    """Describe every group and command, in the order in which help lists them."""
    root = typer.main.get_command(app)
    return "\n".join([HEAD, *_describe(root, "sleeve", 1)])


def _describe(command: Any, path: str, level: int) -> Iterator[str]:
    names = command.list_commands(typer.Context(command)) if hasattr(command, "list_commands") else None
    if level >= TOP:
        arguments = "" if names else "".join(f" {_metavar(argument)}" for argument in _arguments(command))
        yield f"{'#' * level} `{path}{arguments}`\n"
        yield inspect.cleandoc(command.help or "") + "\n"
    if names is None:
        rows = [*_argument_rows(command), *_option_rows(command)]
        if rows:
            yield "\n".join(rows) + "\n"
        return
    if level == TOP and command.epilog:  # groups below repeat it
        yield from _epilog(command.epilog)
    for name in names:
        child = load_subcommand(command, name)
        yield from _describe(child, f"{path} {name}", level + 1)


def _epilog(text: str) -> Iterator[str]:
    for paragraph in text.split("\n\n"):
        title, _, rest = paragraph.partition("\n")
        yield f"{title}\n"
        if rest:
            yield f"```sh\n{inspect.cleandoc(rest)}\n```\n"


def _arguments(command: Any) -> list[Any]:
    return [item for item in command.params if item.param_type_name == "argument"]


def _metavar(argument: Any) -> str:
    name = (argument.metavar or argument.name).upper().replace("_", "-")
    more = "…" if argument.nargs == -1 else ""
    return f"{name}{more}" if argument.required else f"[{name}{more}]"


def _argument_rows(command: Any) -> list[str]:
    return [f"- `{_metavar(argument)}` {argument.help}" for argument in _arguments(command)]


def _option_rows(command: Any) -> Iterator[str]:
    for option in command.params:
        if option.param_type_name != "option" or option.name == "help":
            continue
        notes = ["required"] if option.required else []
        if option.default not in {None, False} and not option.required:
            notes.append(f"default {getattr(option.default, 'value', option.default)}")
        remark = f" ({', '.join(notes)})" if notes else ""
        yield f"- `{', '.join(option.opts)}` {option.help}{remark}"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(build_page(), encoding="utf-8")
