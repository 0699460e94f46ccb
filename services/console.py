"""What the terminal shows: one console, progress bars with rate and time left."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

# No markup: file names and titles of other people's images are printed as they are, brackets included.
console = Console(highlight=False, markup=False)


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
