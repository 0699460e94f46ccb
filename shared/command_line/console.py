"""What the terminal shows: one console, progress bars with rate and time left, pages of lists."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from shared.command_line.terminal_text import escape_controls


class _StrangersConsole(Console):
    """A console on which text is shown and never obeyed."""

    def render_str(self, text: str, **options: Any) -> Text:
        """Escape before the text is measured, so that tables stay straight."""
        return super().render_str(escape_controls(text), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Escape what came by another way, such as the label of a progress bar."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=escape_controls(segment.text))


# No markup: file names and titles of other people's images are printed as they are, brackets included.
console = _StrangersConsole(highlight=False, markup=False)


def show_page(table: Table, next_cursor: str | None = None) -> None:
    """Print a page of a list, or that it is empty, and where it goes on."""
    console.print(table if table.rows else "none")
    if next_cursor:
        console.print(f"more: --cursor {next_cursor}")


def say_count(count: int, one: str, many: str) -> str:
    """Write a number with its noun.

    >>> say_count(1, "match", "matches"), say_count(2000, "match", "matches")
    ('1 match', '2,000 matches')
    """
    return f"{count:,} {one if count == 1 else many}"


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
