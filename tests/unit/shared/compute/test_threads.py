"""Work over the cores: even cuts, results in order, errors passed on, and a bound on the cores that is undone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.compute.threads import cut_evenly, in_threads, limited_cores, usable_cores


@given(st.integers(0, 1000), st.integers(1, 40))
def test_cuts_cover_everything_once_and_evenly(length: int, parts: int) -> None:
    cuts = cut_evenly(length, parts)
    assert [number for start, stop in cuts for number in range(start, stop)] == list(range(length))
    assert len(cuts) == min(parts, length)
    sizes = [stop - start for start, stop in cuts]
    assert not sizes or (min(sizes) >= 1 and max(sizes) - min(sizes) <= 1)


def test_results_come_in_the_order_of_the_parts() -> None:
    assert in_threads(lambda number: number * 2, [(number,) for number in range(50)]) == list(range(0, 100, 2))
    assert in_threads(lambda: None, []) == []


def test_an_error_of_one_part_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        in_threads(lambda divisor: 1 / divisor, [(1,), (0,), (2,)])


def test_a_bound_on_the_cores_ends_with_its_block() -> None:
    cores = usable_cores()
    with limited_cores(1):
        assert usable_cores() == 1
        with limited_cores(cores + 5):
            assert usable_cores() == cores
        assert usable_cores() == 1
    assert usable_cores() == cores
