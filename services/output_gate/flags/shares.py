"""Dividing a flag among the owners that it names, exactly.

Rules, in order:

1. Shares are millionths; they sum to one million. Amounts are minor units; they sum to the flag's amount.
2. Both are divided by largest remainder: everyone gets the whole part of their due, and what is left over goes, one unit each,
   to those whose due was cut most; among equals to the one named first. Nobody is more than one unit off their due.
3. Amounts follow the shares as they are recorded, so that anyone can compute them from the entry.
4. An owner who is named twice, in two roles, has one share.

Source: largest remainder (Hamilton's method), Balinski and Young, Fair Representation, 2nd ed. 2001, chapter 3.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Literal

MILLION = 1_000_000

SharesRule = Literal["equal", "by_confidence"]


def divide(total: int, weights: Sequence[int]) -> list[int]:
    """Divide a whole number by weights, exactly.

    Args:
        total: what is to be divided, at least 0.
        weights: at least 0 each; where all are 0, everyone weighs the same.

    Returns:
        A part a weight, in their order; they sum to `total`, or there are none.

    >>> divide(100, [1, 1, 1]), divide(7, [3, 1]), divide(5, [0, 0])
    ([34, 33, 33], [5, 2], [3, 2])
    """
    whole = sum(weights)
    if not whole:
        return divide(total, [1] * len(weights)) if weights else []
    parts = [total * weight // whole for weight in weights]
    cut_most = sorted(range(len(weights)), key=lambda at: (-(total * weights[at] % whole), at))
    for at in cut_most[: total - sum(parts)]:
        parts[at] += 1
    return parts


def build_shares(owners: Sequence[tuple[str, float]], rule: SharesRule, amount_minor: int | None) -> list[dict[str, Any]]:
    """Divide a flag among owners.

    Args:
        owners: party id and confidence (0..1) of each presumed owner; one party may stand there in several roles.
        rule: everyone alike, or by how sure it is that they own it.
        amount_minor: of the whole flag; None where no tariff says one.

    Returns:
        `party`, `share` (at most six decimals) and `amount_minor` of each party, in the order of the owners.

    >>> build_shares([("a", 0.9), ("b", 0.3)], "by_confidence", 1000)[0]
    {'party': 'a', 'share': 0.75, 'amount_minor': 750}
    """
    confidence: dict[str, float] = {}
    for party, its_confidence in owners:
        confidence[party] = max(its_confidence, confidence.get(party, 0.0))
    weights = [1 if rule == "equal" else round(weight * MILLION) for weight in confidence.values()]
    return with_amounts(
        [
            {"party": party, "share": millionths / MILLION}
            for party, millionths in zip(confidence, divide(MILLION, weights), strict=True)
        ],
        amount_minor,
    )


def with_amounts(shares: Sequence[dict[str, Any]], amount_minor: int | None) -> list[dict[str, Any]]:
    """Divide an amount by shares that stand; None takes the amounts away."""
    weights = [millionths_of(share["share"]) for share in shares]
    parts: Sequence[int | None] = [None] * len(weights) if amount_minor is None else divide(amount_minor, weights)
    return [
        {"party": share["party"], "share": share["share"], "amount_minor": part}
        for share, part in zip(shares, parts, strict=True)
    ]


def millionths_of(share: float) -> int:
    """Return a recorded share in millionths.

    >>> millionths_of(0.333334)
    333334
    """
    return round(Decimal(repr(share)) * MILLION)
