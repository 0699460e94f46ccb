"""Quotas: how many requests a key, or an address without one, may make. In memory, for one process.

Rules, in order:

1. Each has a bucket of tokens. A request takes one. The bucket fills at the rate of the quota, up to its burst.
2. Who finds it empty waits until the next token is there.
3. Only the buckets used last are remembered; one that was forgotten is full. IPv6 addresses count by their network of 64 bits.

Source: the token bucket of RFC 2697 section 3; RFC 6585 section 4 (429).
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from math import ceil

from shared.auth.failures import network_of

# A page of a client that asks for much at once, such as a verifier of a log of 250,000 entries.
BURST_SECONDS = 20
REMEMBERED = 10_000


class Quota:
    """Buckets by holder.

    Args:
        requests_per_second: the rate; 0 sets no limit.
        burst: how many may come at once; `BURST_SECONDS` of the rate where it is not given.
        clock: seconds that never go back.
    """

    def __init__(
        self, requests_per_second: float, clock: Callable[[], float] = time.monotonic, *, burst: int | None = None
    ) -> None:
        self._rate = requests_per_second
        self._burst = float(requests_per_second * BURST_SECONDS if burst is None else burst)
        self._clock = clock
        self._lock = threading.Lock()
        # Tokens, and when they were counted, by holder; the one used last at the end.
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, holder: str) -> int:
        """Take a token; return 0, or in how many seconds to try again.

        Args:
            holder: a key's id, or an address.
        """
        if not self._rate:
            return 0
        now, full = self._clock(), self._burst
        with self._lock:
            tokens, counted_at = self._buckets.pop(holder, (full, now))
            tokens = min(full, tokens + (now - counted_at) * self._rate)
            is_refused = tokens < 1
            self._buckets[holder] = (tokens if is_refused else tokens - 1, now)
            while len(self._buckets) > REMEMBERED:
                self._buckets.popitem(last=False)
        return ceil((1 - tokens) / self._rate) if is_refused else 0

    def take_for_address(self, address: str) -> int:
        """Take a token for an address; its network, where it is of IPv6."""
        return self.take(network_of(address))
