"""A cache of answers by key: each is fetched once and kept for a while, however many threads ask for it.

Rules, in order:

1. Where several threads ask for one key at once, one of them fetches the answer and the others wait for it.
2. An answer is kept for `kept_seconds` from its arrival. A failure that was raised is not kept.
3. Number and size of the answers are bounded; the least recently used goes first. An answer that is being fetched counts as
   one of no size.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")

_Kept = tuple[float, int, T]


class AnswerCache(Generic[T]):
    """Answers by key; may be used by many threads at once.

    Args:
        load: gets the answer to a key.
        size_bytes: how much memory an answer takes, roughly.
        kept_seconds: for how long an answer counts.
        max_answers: how many are kept.
        max_bytes: how much all of them together may take.
    """

    def __init__(
        self,
        load: Callable[[str], T],
        size_bytes: Callable[[T], int],
        *,
        kept_seconds: float,
        max_answers: int,
        max_bytes: int,
    ) -> None:
        self._load = load
        self._size_bytes = size_bytes
        self._kept_seconds = kept_seconds
        self._max_answers = max_answers
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, _Kept[T]] = OrderedDict()
        self._coming: dict[str, Future[T]] = {}
        self._total_bytes = 0

    def get(self, key: str) -> T:
        """Return the answer to a key, as kept or as got now.

        Raises:
            Exception: whatever `load` raises, in every thread that waited for it.
        """
        with self._lock:
            entry = self._kept.get(key)
            if entry is not None and time.monotonic() - entry[0] <= self._kept_seconds:
                self._kept.move_to_end(key)
                return entry[2]
            coming = self._coming.get(key)
            if coming is None:
                mine = self._coming[key] = Future()
        if coming is not None:
            return coming.result()
        return self._get_now(key, mine)

    def _get_now(self, key: str, mine: "Future[T]") -> T:
        try:
            answer = self._load(key)
        except BaseException as error:
            with self._lock:
                del self._coming[key]
            mine.set_exception(error)
            raise
        with self._lock:
            del self._coming[key]
            self._keep(key, answer)
        mine.set_result(answer)
        return answer

    def _keep(self, key: str, answer: T) -> None:
        self._drop(key)
        size_bytes = self._size_bytes(answer)
        self._kept[key] = (time.monotonic(), size_bytes, answer)
        self._total_bytes += size_bytes
        while len(self._kept) > self._max_answers or (self._total_bytes > self._max_bytes and len(self._kept) > 1):
            self._drop(next(iter(self._kept)))

    def _drop(self, key: str) -> None:
        dropped = self._kept.pop(key, None)
        if dropped is not None:
            self._total_bytes -= dropped[1]
