"""Quotas: bursts are let through, a lasting rate is held, and nobody waits for another's."""

from shared.auth.quotas import BURST_SECONDS, REMEMBERED, Quota


class Clock:
    """Seconds that a test sets."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_is_let_through_and_then_the_rate_is_held() -> None:
    clock = Clock()
    quota = Quota(2, clock)
    assert [quota.take("a") for _ in range(2 * BURST_SECONDS)] == [0] * 2 * BURST_SECONDS
    assert quota.take("a") == 1
    assert quota.take("b") == 0
    clock.now += 0.5
    assert (quota.take("a"), quota.take("a")) == (0, 1)
    clock.now += 3600
    assert [quota.take("a") for _ in range(2 * BURST_SECONDS + 1)][-2:] == [0, 1]


def test_zero_sets_no_limit() -> None:
    quota = Quota(0)
    assert not any(quota.take("a") for _ in range(1000))


def test_addresses_of_one_network_share_a_bucket_and_memory_is_bounded() -> None:
    clock = Clock()
    quota = Quota(1, clock)
    for number in range(BURST_SECONDS):
        assert quota.take_for_address(f"2001:db8::{number:x}") == 0
    assert quota.take_for_address("2001:db8::ffff") == 1
    assert quota.take_for_address("2001:db8:0:1::1") == 0
    for number in range(REMEMBERED + 10):
        quota.take(str(number))
    assert len(quota._buckets) == REMEMBERED
