"""Shares and amounts: exact sums, nobody more than one unit off, for any owners and any amount."""

from fractions import Fraction
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from services.output_gate.flags.shares import MILLION, build_shares, divide, millionths_of, with_amounts

WEIGHTS = st.lists(st.integers(0, 10**6), min_size=1, max_size=40)
OWNERS = st.lists(st.tuples(st.sampled_from("abcdefgh"), st.floats(0, 1)), min_size=1, max_size=20)


@given(st.integers(0, 10**15), WEIGHTS)
def test_a_division_is_exact_and_fair(total: int, weights: list[int]) -> None:
    parts = divide(total, weights)
    assert sum(parts) == total
    used = weights if sum(weights) else [1] * len(weights)
    for part, weight in zip(parts, used, strict=True):
        assert abs(part - Fraction(total * weight, sum(used))) < 1
    # Who weighs more never gets less.
    order = sorted(range(len(used)), key=lambda at: used[at])
    for light, heavy in pairwise(order):
        assert used[light] == used[heavy] or parts[light] <= parts[heavy]


@given(OWNERS, st.sampled_from(["equal", "by_confidence"]), st.one_of(st.none(), st.integers(0, 10**15)))
def test_shares_sum_to_one_and_amounts_to_the_flag(owners: list[tuple[str, float]], rule: str, amount: int | None) -> None:
    shares = build_shares(owners, rule, amount)  # type: ignore[arg-type]
    assert [share["party"] for share in shares] == list(dict.fromkeys(party for party, _ in owners))
    # As decimals, which is what a reader of the entry adds up.
    assert sum(Fraction(repr(share["share"])) for share in shares) == 1
    assert sum(millionths_of(share["share"]) for share in shares) == MILLION
    if amount is None:
        assert {share["amount_minor"] for share in shares} == {None}
    else:
        assert sum(share["amount_minor"] for share in shares) == amount
    # Anyone computes the amounts again from the recorded shares.
    assert with_amounts(shares, amount) == shares


def test_without_owners_there_is_nothing_to_divide() -> None:
    assert build_shares([], "equal", 100) == []
    assert divide(5, []) == []
