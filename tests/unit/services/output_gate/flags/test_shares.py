"""Dividing a flag exactly; tests/property/test_shares.py has the laws for any input."""

from services.output_gate.flags.shares import build_shares, divide, millionths_of, with_amounts


def test_what_is_left_over_goes_to_those_who_were_cut_most() -> None:
    assert divide(10, [1, 1, 1]) == [4, 3, 3]
    assert divide(10, []) == []


def test_one_party_in_two_roles_has_one_share() -> None:
    shares = build_shares([("a", 0.5), ("b", 0.5), ("a", 0.9)], "equal", 101)
    assert [(share["party"], share["amount_minor"]) for share in shares] == [("a", 51), ("b", 50)]


def test_amounts_go_and_come_with_the_shares_as_they_stand() -> None:
    shares = build_shares([("a", 0.9), ("b", 0.3)], "by_confidence", None)
    assert [share["amount_minor"] for share in shares] == [None, None]
    assert [share["amount_minor"] for share in with_amounts(shares, 8)] == [6, 2]
    assert sum(millionths_of(share["share"]) for share in shares) == 1_000_000
