"""A limit on failed keys, by the address that they came from. It bounds what a flood of guesses costs, in time and in memory.

Rules, in order:

1. An address may fail so many times a window. After that its requests with a key are put off until the window ends.
2. A key that was valid a short while ago is looked up all the same, so guesses from a shared address lock out nobody.
3. Only the newest addresses and keys are remembered. IPv6 addresses count by their network of 64 bits, since a host has as
   many addresses of it as it likes.

Source: RFC 6585 section 4 (429); RFC 4291 section 2.5.4.
"""

import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from math import ceil

MAX_FAILURES = 20
WINDOW_SECONDS = 60.0
REMEMBERED = 10_000


class FailureLimit:
    """Failures by address, in one process.

    Args:
        clock: seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        # How many failures, and when the window ends, by address; the newest last.
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._good: OrderedDict[str, None] = OrderedDict()

    def seconds_to_wait(self, address: str, key_sha256: str | None) -> int:
        """Return how long an address has to wait with a key; 0 where it has not."""
        with self._lock:
            count, ends_at = self._failures.get(network_of(address), (0, 0.0))
            left = ends_at - self._clock()
            if count < MAX_FAILURES or left <= 0 or key_sha256 in self._good:
                return 0
            return max(1, ceil(left))

    def note_failure(self, address: str) -> None:
        """Count a failure."""
        network, now = network_of(address), self._clock()
        with self._lock:
            count, ends_at = self._failures.pop(network, (0, 0.0))
            self._failures[network] = (count + 1, ends_at) if ends_at > now else (1, now + WINDOW_SECONDS)
            while len(self._failures) > REMEMBERED:
                self._failures.popitem(last=False)

    def note_success(self, key_sha256: str) -> None:
        """Remember a good key, by its digest."""
        with self._lock:
            self._good[key_sha256] = None
            self._good.move_to_end(key_sha256)
            while len(self._good) > REMEMBERED:
                self._good.popitem(last=False)


def network_of(address: str) -> str:
    """Return what an address counts by: itself, or its network of 64 bits where it is of IPv6."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((parsed, 64), strict=False)) if parsed.version == 6 else address
