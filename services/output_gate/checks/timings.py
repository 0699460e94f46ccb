"""How long the steps of a check took: what is answered beside a decision and counted in metrics, and never logged."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from time import perf_counter

# In the order in which a check goes through them; a step that was not reached is left out.
STEPS = (
    "decode",
    "ready",
    "embed",
    "search",
    "compare",
    "detect",
    "rules",
    "measure",
    "fingerprint",
    "store",
    "total",
)


class Timings:
    """A stopwatch with a hand for each step.

    >>> timings = Timings()
    >>> with timings.step("decode"):
    ...     pass
    >>> list(timings.milliseconds)
    ['decode']
    """

    def __init__(self) -> None:
        self._begun = perf_counter()
        self.milliseconds: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Measure a block, whether it ends well or not; a step that is gone through again is added up."""
        begun = perf_counter()
        try:
            yield
        finally:
            self._add(name, perf_counter() - begun)

    def add(self, milliseconds: Mapping[str, float]) -> None:
        """Add what other hands measured."""
        for name, value in milliseconds.items():
            self._add(name, value / 1000)

    def divided_by(self, count: int) -> dict[str, float]:
        """Return each of so many generations' share of steps that they went through together."""
        return {name: round(value / count, 3) for name, value in self.milliseconds.items()}

    def stop(self) -> dict[str, float]:
        """Return the milliseconds of every step so far, in their order, and of all together: the time that a caller waited."""
        self.milliseconds["total"] = round(1000 * (perf_counter() - self._begun), 3)
        return {step: self.milliseconds[step] for step in STEPS if step in self.milliseconds}

    def _add(self, name: str, seconds: float) -> None:
        self.milliseconds[name] = round(self.milliseconds.get(name, 0.0) + 1000 * seconds, 3)
