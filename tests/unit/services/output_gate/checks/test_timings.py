"""The stopwatch of a check."""

import pytest

from services.output_gate.checks.timings import STEPS, Timings


def test_steps_add_up_and_stop_in_their_order() -> None:
    timings = Timings()
    for step in ("store", "decode", "decode"):
        with timings.step(step):
            pass
    timings.add({"search": 2.5})
    stopped = timings.stop()
    assert list(stopped) == [step for step in STEPS if step in {"decode", "search", "store", "total"}]
    assert stopped["search"] == 2.5


def test_a_step_that_fails_is_measured_too() -> None:
    timings = Timings()
    with pytest.raises(ZeroDivisionError), timings.step("embed"):
        _ = 1 / 0
    assert "embed" in timings.milliseconds


def test_shares() -> None:
    timings = Timings()
    timings.add({"search": 9.0})
    assert timings.divided_by(3) == {"search": 3.0}
