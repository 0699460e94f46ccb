"""Tables never cut an id: not when they are piped, and not on a narrow terminal."""

import io
import os
import pty
import subprocess
import sys

import pytest
from rich.table import Table

from shared.command_line.console import _StrangersConsole
from shared.ids import new_id

DIGEST = "5f" * 32
PRINT_A_TABLE = """
import sys
from rich.table import Table
from shared.command_line.console import console, show_page
table = Table("id", "title", "SHA-256", "path", title="flag " + sys.argv[1])
table.add_row(sys.argv[1], "a title of several words " * 6, sys.argv[2], "/a/long/path/without/any/blank/" * 4)
show_page(table)
console.print("word " * 60)
"""


def print_a_table(item_id: str, **options: object) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-c", PRINT_A_TABLE, item_id, DIGEST]
    return subprocess.Popen(command, **options)  # type: ignore[call-overload]


def test_what_is_piped_is_neither_wrapped_nor_cut() -> None:
    item_id = new_id()
    for columns in ("20", "80"):
        with print_a_table(item_id, stdout=subprocess.PIPE, env={**os.environ, "COLUMNS": columns}) as process:
            assert process.stdout is not None
            lines = process.stdout.read().decode().splitlines()
        [row] = [line for line in lines if DIGEST in line]
        assert item_id in row
        assert "a title of several words " * 5 in row
        assert "/a/long/path/without/any/blank/" * 4 in row
        assert "word " * 60 in lines


@pytest.mark.parametrize("columns", [30, 80, 200])
def test_a_terminal_shows_ids_on_one_line(columns: int) -> None:
    item_id = new_id()
    shown = io.StringIO()
    terminal = _StrangersConsole(file=shown, force_terminal=True, width=columns, color_system=None)
    table = Table("id", "title", "SHA-256", title=f"flag {item_id}")
    table.add_row(item_id, "a title of several words " * 6, DIGEST)
    terminal.print(table)
    assert shown.getvalue().count(item_id) == 2
    assert DIGEST in shown.getvalue()
    assert "…" not in shown.getvalue()


def test_a_real_terminal_shows_ids_on_one_line() -> None:
    item_id, (controller, terminal) = new_id(), pty.openpty()
    with print_a_table(item_id, stdout=terminal, env={**os.environ, "COLUMNS": "60", "TERM": "xterm"}) as process:
        os.close(terminal)
        shown = b""
        try:
            while part := os.read(controller, 65_536):
                shown += part
        except OSError:  # the other end was closed
            pass
        process.wait()
    os.close(controller)
    assert shown.decode().count(item_id) == 2
    assert DIGEST in shown.decode()
