"""The memory that decoding may take in this process, shared by all its threads.

Rules, in order:

1. Who decodes first reserves what that will take, by an estimate, and waits until it is free. First come, first served: a
   large picture is not overtaken for ever.
2. What alone takes more than there is, is refused and never waits.
3. Nobody reserves twice at once: who holds a part and waits for another could wait for ever.
"""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

from shared.errors import InputError, UnavailableError

# Our own bound. A picture takes a second or two: after so long, too many wait for this one to be answered in time.
MAX_WAIT_SECONDS = 60.0


class DecodeBudget:
    """Memory that is reserved for decoding, in bytes."""

    def __init__(self) -> None:
        self._used_bytes = 0
        self._waiting: deque[object] = deque()
        self._changed = threading.Condition()

    @contextmanager
    def reserve(self, cost_bytes: int, capacity_bytes: int, max_wait_seconds: float = MAX_WAIT_SECONDS) -> Iterator[None]:
        """Hold memory as long as the block runs.

        Args:
            cost_bytes: how much.
            capacity_bytes: how much all together may hold.
            max_wait_seconds: how long to wait for it.

        Raises:
            InputError: the cost alone exceeds the capacity.
            UnavailableError: it did not become free in time.
        """
        if cost_bytes > capacity_bytes:
            raise InputError(
                f"image takes too much memory to decode: expected at most {capacity_bytes:,} bytes "
                f"(SLEEVE_DECODE_MEMORY_BYTES), got about {cost_bytes:,}",
                code="image_too_much_memory",
            )
        self._acquire(cost_bytes, capacity_bytes, monotonic() + max_wait_seconds)
        try:
            yield
        finally:
            with self._changed:
                self._used_bytes -= cost_bytes
                self._changed.notify_all()

    def _acquire(self, cost_bytes: int, capacity_bytes: int, deadline: float) -> None:
        turn = object()
        with self._changed:
            self._waiting.append(turn)
            try:
                while self._waiting[0] is not turn or self._used_bytes + cost_bytes > capacity_bytes:
                    left_seconds = deadline - monotonic()
                    if left_seconds <= 0:
                        raise UnavailableError("too many large images are being decoded; try again", code="decoding_busy")
                    self._changed.wait(left_seconds)
                self._used_bytes += cost_bytes
            finally:
                self._waiting.remove(turn)
                self._changed.notify_all()


# One for the process, whoever decodes.
BUDGET = DecodeBudget()
