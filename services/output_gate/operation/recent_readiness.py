"""Readiness for anyone who asks: measured at most once a second, however many ask, and without details."""

import threading
import time
from collections.abc import Callable

from services.output_gate.gate import Gate
from services.output_gate.operation.readiness import ReadinessAnswer, measure_readiness

# A measurement embeds a picture and reads the database: with nothing but a URL nobody is to have more of them made.
KEPT_SECONDS = 1.0


class RecentReadiness:
    """Whether a gate is ready, as measured a moment ago.

    Args:
        gate: which one.
        clock: seconds that never go back.
    """

    def __init__(self, gate: Gate, clock: Callable[[], float] = time.monotonic) -> None:
        self._gate, self._clock = gate, clock
        self._lock = threading.Lock()
        self._measured: tuple[float, ReadinessAnswer] | None = None

    def read(self) -> ReadinessAnswer:
        """Return the answer without its details, measuring where the last one is too old."""
        with self._lock:
            if self._measured is None or self._clock() - self._measured[0] >= KEPT_SECONDS:
                answer = measure_readiness(self._gate)
                self._measured = self._clock(), answer.model_copy(update={"dependencies": []})
            return self._measured[1]
