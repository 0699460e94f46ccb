"""Many fetches at once, few from one host."""

import threading
import time
from collections import Counter
from concurrent.futures import CancelledError
from functools import partial

import pytest

from shared.fetching.politeness import PolitePool


def test_a_host_is_never_asked_for_more_than_its_share() -> None:
    lock, running, most = threading.Lock(), Counter[str](), Counter[str]()

    def call(host: str, number: int) -> int:
        with lock:
            running[host] += 1
            most[host] = max(most[host], running[host])
        time.sleep(0.005)
        with lock:
            running[host] -= 1
        return number

    with PolitePool[int](8, 2) as pool:
        futures = [
            pool.submit(host, lambda host=host, number=number: call(host, number))  # type: ignore[misc]
            for number in range(15)
            for host in ("a", "b", "c")
        ]
        assert [future.result() for future in futures] == [number for number in range(15) for _ in range(3)]
        pool.submit("a", lambda: 1).result()
    assert most == {"a": 2, "b": 2, "c": 2}


def test_a_hosts_calls_start_in_their_order() -> None:
    started: list[int] = []
    with PolitePool[None](4, 1) as pool:
        futures = [pool.submit("a", partial(started.append, number)) for number in range(30)]
        for future in futures:
            future.result()
    assert started == list(range(30))


def test_a_waiting_host_holds_no_thread() -> None:
    slow = threading.Event()
    with PolitePool[bool](2, 1) as pool:
        held = [pool.submit("slow", lambda: slow.wait(5)) for _ in range(10)]
        assert pool.submit("quick", lambda: True).result(timeout=2)
        slow.set()
        assert all(future.result() for future in held)


def test_what_a_call_raises_is_handed_over_and_the_next_one_runs() -> None:
    with PolitePool[float](2, 1) as pool:
        bad, good = pool.submit("a", lambda: 1 / 0), pool.submit("a", lambda: 1.0)
        with pytest.raises(ZeroDivisionError):
            bad.result()
        assert good.result() == 1.0


def test_leaving_early_cancels_what_has_not_started() -> None:
    begun = threading.Event()

    def call() -> bool:
        begun.set()
        time.sleep(0.05)
        return True

    with PolitePool[bool](1, 1) as pool:
        futures = [pool.submit(host, call) for host in ("a", "a", "b")]
        begun.wait(5)
    assert futures[0].result(timeout=1)
    for future in futures[1:]:
        with pytest.raises(CancelledError):
            future.result(timeout=1)
