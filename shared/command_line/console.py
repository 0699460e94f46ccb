"""What the terminal shows: one console, progress bars with rate and time left, pages of lists.

Rules, in order:

1. What a pipe or a file gets is neither wrapped nor cut, however wide it is.
2. On a terminal an id or a digest stands on one line, whole, so that it can be copied. A table that has no room for them is
   wider than the terminal, which then breaks its lines. Other cells are folded, and nothing is left out.
3. Text is shown and never obeyed.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console, ConsoleDimensions, ConsoleOptions, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from shared.command_line.terminal_text import escape_controls

# As wide as a pipe is: beyond any line that a command writes.
PIPE_COLUMNS = 1_000_000
# Letters of any other cell, however narrow a terminal is.
LEAST_CELL = 12
# UUIDs and digests, alone or within a cell.
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32,128}")


class _StrangersConsole(Console):
    """A console on which text is shown and never obeyed, and no id is cut."""

    # What the table that is being printed takes at least.
    _least_columns = 0

    @property
    def size(self) -> ConsoleDimensions:
        """Return the terminal's size; what is no terminal has room for every line."""
        columns, lines = super().size
        return ConsoleDimensions(max(columns, self._least_columns) if self.is_terminal else PIPE_COLUMNS, lines)

    @size.setter
    def size(self, new_size: tuple[int, int]) -> None:
        self._width, self._height = new_size

    def print(self, *objects: Any, **options: Any) -> None:
        """Print; a table gets the room that its ids need."""
        tables = [table for table in objects if isinstance(table, Table)] if self.is_terminal else []
        self._least_columns = max((_make_room_for_ids(table, self) for table in tables), default=0)
        try:
            super().print(*objects, **options)
        finally:
            self._least_columns = 0

    def render_str(self, text: str, **options: Any) -> Text:
        """Escape before the text is measured, so that tables stay straight."""
        return super().render_str(escape_controls(text), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Escape what came by another way, such as the label of a progress bar."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=escape_controls(segment.text))


def _make_room_for_ids(table: Table, console: Console) -> int:
    """Fix the width of columns that hold ids, where a table has to be narrowed; return the columns that it takes at least."""
    if console.measure(table, options=console.options.update(width=PIPE_COLUMNS)).maximum <= console.width:
        return 0
    for column in table.columns:
        column.overflow = "fold"
        cells = (str(cell) for cell in (column.header, *column.cells))
        column.width = max((len(match.group()) for cell in cells for match in _ID.finditer(cell)), default=column.width)
    table.min_width = max((len(match.group()) for match in _ID.finditer(str(table.title or ""))), default=table.min_width)
    # A frame and two blanks beside each cell.
    return 1 + sum(3 + (column.width or LEAST_CELL) for column in table.columns)


# No markup: file names and titles of other people's images are printed as they are, brackets included.
console = _StrangersConsole(highlight=False, markup=False)


def show_page(table: Table, next_cursor: str | None = None) -> None:
    """Print a page of a list, or that it is empty, and where it goes on."""
    console.print(table if table.rows else "none")
    if next_cursor:
        console.print(f"more: --cursor {next_cursor}")


def say_count(count: int, singular: str, plural: str) -> str:
    """Write a number with its noun.

    >>> say_count(1, "match", "matches"), say_count(2000, "match", "matches")
    ('1 match', '2,000 matches')
    """
    return f"{count:,} {singular if count == 1 else plural}"


@contextmanager
def progress() -> Iterator[Progress]:
    """Progress bars: label, bar, count, time gone, time left."""
    columns = (
        TextColumn("{task.description:<34}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bars:
        yield bars


@contextmanager
def step_progress(label: str, total: int) -> Iterator[Callable[[int, int], None]]:
    """One bar, moved by calls with (done, total)."""
    with progress() as bars:
        task = bars.add_task(label, total=total)
        yield lambda done, of: bars.update(task, completed=done, total=of)
