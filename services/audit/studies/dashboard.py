"""The progress of a running study: on a terminal a bar for each model, elsewhere a line for each finished step."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from services.audit.processes.process_pool import ModelProgressCallback
from services.audit.studies.study_config import StudyConfig


@contextmanager
def dashboard(console: Console, config: StudyConfig) -> Iterator[ModelProgressCallback]:
    """Show a study's progress until the block ends; yields what reports it."""
    names = [model.name for model in config.models()]
    if not console.is_terminal:
        yield _Lines(console, names)
        return
    columns = (
        TextColumn("{task.description:<22}"),
        TextColumn("{task.fields[step]:<9}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bars:
        yield _Bars(bars, names)


class _Bars:
    """A bar for each model."""

    def __init__(self, bars: Progress, names: list[str]) -> None:
        self._bars = bars
        self._whole = bars.add_task("models audited", total=len(names), step="")
        self._tasks: dict[str, TaskID] = {name: bars.add_task(name, start=False, step="waiting", total=None) for name in names}
        self._steps: dict[str, str] = {}

    def __call__(self, name: str, step: str, done: int, total: int) -> None:
        task = self._tasks[name]
        if self._steps.get(name) != step:
            self._steps[name] = step
            self._bars.reset(task, start=True)
        self._bars.update(task, completed=done, total=total, step=step)
        if step == "audit" and done == total:
            self._bars.advance(self._whole)


class _Lines:
    """A line when a model finishes a step, with how many models are that far."""

    def __init__(self, console: Console, names: list[str]) -> None:
        self._console, self._count = console, len(names)
        self._finished: dict[str, set[str]] = {}

    def __call__(self, name: str, step: str, done: int, total: int) -> None:
        finished = self._finished.setdefault(step, set())
        if done == total and step != "kept" and name not in finished:
            finished.add(name)
            self._console.print(f"{name}: {step} done, {total:,} ({len(finished)} of {self._count} models)", soft_wrap=True)
