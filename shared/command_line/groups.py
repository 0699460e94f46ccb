"""Groups of commands whose modules are imported when a command is chosen, so that help and verification start at once.

A group is a table in the order of the work. The table holds what the group's help shows of a command. Its arguments and
options are read from its module, and only when it is chosen.
"""

from collections.abc import Iterable
from importlib import import_module
from typing import Any, ClassVar, NamedTuple

import typer.main
from typer.core import TyperCommand, TyperGroup

from shared.command_line.terminal_text import escape_controls
from shared.errors import UnavailableError

# Of click, which typer brings along without naming it: what is wrong with a command line.
_UsageError: type[Exception] = typer.BadParameter.__mro__[1]


class LazyCommand(NamedTuple):
    """A row of a group's table.

    Attributes:
        name: of the command, or of a group below the group.
        target: `module:attribute`; a function, or the `typer.Typer` of a group.
        help: its line in the group's help, the first sentence of its own help.
        extra: the optional dependencies that it needs, by their name in pyproject.toml; None where the base has them all.
    """

    name: str
    target: str
    help: str
    extra: str | None = None

    def load(self) -> Any:
        """Import the function or the group.

        Raises:
            UnavailableError: a package that it needs is not installed; the message says how to install it.
        """
        module, _, attribute = self.target.partition(":")
        try:
            return getattr(import_module(module), attribute)
        except ModuleNotFoundError as error:
            if self.extra is None or (error.name or "").partition(".")[0] in {"services", "shared"}:
                raise
            raise UnavailableError(
                f"{self.name} needs the package {error.name}: pip install 'sleeve[{self.extra}]'", code="extra_missing"
            ) from error


class LazyGroup(TyperGroup):
    """A group that knows the names and help lines of its commands, and imports the one that is chosen."""

    table: ClassVar[dict[str, LazyCommand]] = {}

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for row in self.table.values():
            self.add_command(TyperCommand(row.name, help=row.help))

    def load_command(self, name: str) -> Any:
        """Import a command and build it with its arguments and options.

        Raises:
            KeyError: the group has none of this name.
            UnavailableError: a package that it needs is not installed.
        """
        target = self.table[name].load()
        host = typer.Typer()
        if isinstance(target, typer.Typer):
            host.add_typer(target, name=name)
        else:
            host.command(name)(target)
        return typer.main.get_group(host).commands[name]

    def invoke(self, ctx: Any) -> Any:
        """Run the command that the arguments name; what is wrong with them is shown, never obeyed."""
        try:
            return super().invoke(ctx)
        except _UsageError as error:
            error.message = escape_controls(str(getattr(error, "message", error)))  # type: ignore[attr-defined]
            raise

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Find the command that the arguments begin with, and import it."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, self.load_command(name) if name in self.table else command, rest


def lazy_group(rows: Iterable[tuple[str, str, str] | LazyCommand], extra: str | None = None) -> type[LazyGroup]:
    """Make the class of a group, for `typer.Typer(cls=…)`.

    Args:
        rows: name, target and help of each command, or a `LazyCommand` with an extra of its own, in the order of the help.
        extra: the optional dependencies that the commands need, where a row names no other.
    """
    commands = [LazyCommand(*row) for row in rows]

    class Lazy(LazyGroup):
        """A group of these commands."""

        table: ClassVar = {command.name: command._replace(extra=command.extra or extra) for command in commands}

    return Lazy


def load_subcommand(group: TyperGroup, name: str) -> Any:
    """Return a command of a group, imported where that is still to be done."""
    return group.load_command(name) if isinstance(group, LazyGroup) else group.commands[name]
