"""What the terminal shows: one console, progress bars with rate and time left, pages of lists, an item's cells."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from shared.auth.visibility import PublicItem

# No markup: file names and titles of other people's images are printed as they are, brackets included.
console = Console(highlight=False, markup=False)

ITEM_COLUMNS = ("item", "title", "presumed owners", "licence", "state")


class NamedOwner(Protocol):
    """A presumed owner, as any service answers."""

    @property
    def name(self) -> str: ...
    @property
    def role(self) -> str: ...


class ShownItem(Protocol):
    """An item, as any service answers."""

    @property
    def dataset(self) -> str: ...
    @property
    def source_key(self) -> str: ...
    @property
    def title(self) -> str | None: ...
    @property
    def owners(self) -> Sequence[NamedOwner]: ...
    @property
    def licence(self) -> str: ...
    @property
    def state(self) -> str: ...


def build_item_cells(item: ShownItem | PublicItem) -> tuple[str, ...]:
    """Say of an item what fits into a row: the cells below ITEM_COLUMNS."""
    if isinstance(item, PublicItem):
        return item.id, "", "", item.licence, item.state
    owners = "; ".join(f"{owner.name} ({owner.role})" for owner in item.owners) or "none known"
    return f"{item.dataset} / {item.source_key}", item.title or "", owners, item.licence, item.state


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


def name_distance(distance: int | None) -> str:
    """Say in how many bits two hashes differ."""
    return "undefined" if distance is None else str(distance)


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
