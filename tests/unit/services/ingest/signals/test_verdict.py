"""Many statements, one verdict: the most restrictive wins."""

from random import Random
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from services.ingest.signals.signal import Signal, SignalVerdict
from services.ingest.signals.verdict import combine

RANK = {"deny": 0, "unknown": 1, "allow": 2}
VERDICTS = st.sampled_from(get_args(SignalVerdict))


def signals(verdicts: list[SignalVerdict]) -> list[Signal]:
    return [Signal("robots-txt", verdict, "0" * 64, {}) for verdict in verdicts]


@given(st.lists(VERDICTS, min_size=1))
def test_the_most_restrictive_wins(verdicts: list[SignalVerdict]) -> None:
    assert combine(signals(verdicts)) == min(verdicts, key=RANK.__getitem__)


@given(st.lists(VERDICTS, min_size=1), VERDICTS)
def test_a_further_signal_never_loosens(verdicts: list[SignalVerdict], further: SignalVerdict) -> None:
    assert RANK[combine(signals([*verdicts, further]))] <= RANK[combine(signals(verdicts))]


@given(st.lists(VERDICTS), st.randoms(use_true_random=False))
def test_order_does_not_matter(verdicts: list[SignalVerdict], random: Random) -> None:
    shuffled = list(verdicts)
    random.shuffle(shuffled)
    assert combine(signals(verdicts)) == combine(signals(shuffled))


def test_silence_is_not_permission() -> None:
    assert combine([]) == "unknown"
