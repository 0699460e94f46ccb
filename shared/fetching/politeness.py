"""Many fetches at once, few of them from one host.

Rules, in order:

1. No host is asked for more than `per_host` things at once. What waits for its turn holds no thread.
2. A host's calls start in the order in which they were submitted.
"""

import threading
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, Self, TypeVar

T = TypeVar("T")


class PolitePool(Generic[T]):
    """A pool of threads that runs calls by host; used as a context, at whose end calls not yet started are cancelled.

    Args:
        threads: calls at once, of all hosts together.
        per_host: calls at once of one host.
    """

    def __init__(self, threads: int, per_host: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="fetch")
        self._per_host = per_host
        self._lock = threading.Lock()
        self._running: Counter[str] = Counter()
        self._waiting: dict[str, deque[tuple[Future[T], Callable[[], T]]]] = {}
        self._closed = False

    def submit(self, host: str, call: Callable[[], T]) -> "Future[T]":
        """Run a call when its host's turn comes, and give its result, or what it raised, to the future."""
        future: Future[T] = Future()
        with self._lock:
            if self._running[host] >= self._per_host:
                self._waiting.setdefault(host, deque()).append((future, call))
                return future
            self._running[host] += 1
        inner = self._pool.submit(self._run, host, future, call)
        # Cancelled before a thread took it: whoever waits for the result must learn of it.
        inner.add_done_callback(lambda ended: ended.cancelled() and future.cancel())
        return future

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with self._lock:
            self._closed = True
            for queue in self._waiting.values():
                for future, _ in queue:
                    future.cancel()
            self._waiting.clear()
        self._pool.shutdown(cancel_futures=True)

    def _run(self, host: str, future: "Future[T]", call: Callable[[], T]) -> None:
        following: tuple[Future[T], Callable[[], T]] | None = (future, call)
        while following is not None:
            _fulfil(*following)
            following = self._next(host)

    def _next(self, host: str) -> tuple["Future[T]", Callable[[], T]] | None:
        with self._lock:
            queue = self._waiting.get(host)
            if queue and not self._closed:
                return queue.popleft()
            self._waiting.pop(host, None)
            self._running[host] -= 1
            if not self._running[host]:
                del self._running[host]
            return None


def _fulfil(future: "Future[T]", call: Callable[[], T]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(call())
    except BaseException as error:
        future.set_exception(error)
