"""Lazy groups: what help shows, what is imported when, and what is said where a package is missing."""

import sys
from collections.abc import Iterator

import pytest
import typer
import typer.main
from typer.testing import CliRunner

from services.commands.main import app
from shared.command_line.groups import LazyCommand, LazyGroup, lazy_group
from shared.errors import UnavailableError

RUNNER = CliRunner()
MISSING = LazyCommand("draw", "pictures_of_nowhere:draw", "Draw.", extra="gate")


def rows(group: LazyGroup, path: str) -> Iterator[tuple[str, LazyCommand, object]]:
    for name, row in group.table.items():
        command = group.load_command(name)
        yield f"{path} {name}", row, command
        if isinstance(command, LazyGroup):
            yield from rows(command, f"{path} {name}")


def build(*commands: LazyCommand, extra: str | None = None) -> typer.Typer:
    group = typer.Typer(cls=lazy_group(commands, extra))
    group.callback()(lambda: None)
    return group


def test_a_table_says_the_first_sentence_of_each_commands_own_help() -> None:
    root = typer.main.get_command(app)
    assert isinstance(root, LazyGroup)
    listed = list(rows(root, "sleeve"))
    assert len(listed) > 30
    for path, row, command in listed:
        assert str(getattr(command, "help", "")).startswith(row.help), path
        assert row.help.endswith("."), path


def test_help_lists_commands_in_the_order_of_the_table_and_imports_none() -> None:
    group = build(LazyCommand("second", "calendar:main", "Show a year."), MISSING)
    sys.modules.pop("calendar", None)
    shown = RUNNER.invoke(group, ["--help"]).output
    assert 0 < shown.index("second") < shown.index("draw")
    assert "calendar" not in sys.modules


def test_a_command_whose_package_is_missing_names_the_extra() -> None:
    with pytest.raises(UnavailableError, match=r"pip install 'sleeve\[gate\]'") as caught:
        RUNNER.invoke(build(MISSING), ["draw"], catch_exceptions=False)
    assert (caught.value.code, "\n" in caught.value.message) == ("extra_missing", False)


def test_a_row_without_an_extra_has_that_of_its_group() -> None:
    group = typer.main.get_command(build(MISSING._replace(extra=None), extra="audit"))
    with pytest.raises(UnavailableError, match=r"sleeve\[audit\]"):
        group.load_command("draw")  # type: ignore[attr-defined]


def test_a_defect_of_our_own_is_not_taken_for_a_missing_package() -> None:
    with pytest.raises(ModuleNotFoundError):
        LazyCommand("draw", "services.nowhere:draw", "Draw.", extra="gate").load()


def test_an_unknown_command_is_a_usage_error_with_a_suggestion() -> None:
    result = RUNNER.invoke(build(MISSING), ["drew"])
    assert result.exit_code == 2
    assert "draw" in result.output
