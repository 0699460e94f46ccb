"""Failures are limited by address, in bounded memory, and good keys are not locked out by others."""

import pytest

from shared.auth import failures
from shared.auth.failures import MAX_FAILURES, WINDOW_SECONDS, FailureLimit


class Clock:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def limit_after(count: int, address: str = "192.0.2.1") -> tuple[FailureLimit, Clock]:
    clock = Clock()
    limit = FailureLimit(clock)
    for _ in range(count):
        limit.note_failure(address)
    return limit, clock


def test_an_address_waits_after_so_many_failures_until_the_window_ends() -> None:
    limit, clock = limit_after(MAX_FAILURES - 1)
    assert limit.seconds_to_wait("192.0.2.1", "k") == 0
    limit.note_failure("192.0.2.1")
    assert limit.seconds_to_wait("192.0.2.1", "k") == WINDOW_SECONDS
    assert limit.seconds_to_wait("192.0.2.2", "k") == 0
    clock.now += WINDOW_SECONDS - 0.5
    assert limit.seconds_to_wait("192.0.2.1", None) == 1
    clock.now += 0.5
    assert limit.seconds_to_wait("192.0.2.1", None) == 0


def test_a_key_that_was_good_is_asked_about_all_the_same() -> None:
    limit, _ = limit_after(MAX_FAILURES)
    limit.note_success("good")
    assert limit.seconds_to_wait("192.0.2.1", "good") == 0
    assert limit.seconds_to_wait("192.0.2.1", "another") > 0


def test_addresses_of_one_ipv6_network_are_one() -> None:
    limit, _ = limit_after(MAX_FAILURES, "2001:db8:0:1::1")
    assert limit.seconds_to_wait("2001:db8:0:1:ffff::2", None) > 0
    assert limit.seconds_to_wait("2001:db8:0:2::1", None) == 0


def test_memory_is_bounded_and_the_newest_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    limit, _ = limit_after(0)
    monkeypatch.setattr(failures, "REMEMBERED", 3)
    for number in range(10):
        limit.note_failure(f"192.0.2.{number}")
        limit.note_success(f"k{number}")
    assert list(limit._failures) == ["192.0.2.7", "192.0.2.8", "192.0.2.9"]
    assert list(limit._good) == ["k7", "k8", "k9"]
