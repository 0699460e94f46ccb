"""Which items a caller sees in full."""

import pytest

from shared.auth.caller import ANYONE, OPERATOR, Caller
from shared.auth.item_visibility import sees_item

READER = Caller("reader", frozenset({"items:read"}))
OWNER = Caller("owner", frozenset({"items:own"}), "p1")


@pytest.mark.parametrize(
    ("caller", "own", "foreign", "ownerless"),
    [
        (OPERATOR, True, True, True),
        (READER, True, True, True),
        (OWNER, True, False, False),
        (Caller("without scope", frozenset(), "p1"), False, False, False),
        (Caller("without party", frozenset({"items:own"})), False, False, False),
        (ANYONE, False, False, False),
    ],
)
def test_an_item_is_seen_by_readers_and_by_the_owner_whom_it_names(
    caller: Caller, own: bool, foreign: bool, ownerless: bool
) -> None:
    assert sees_item(caller, ["p1", "p2"]) is own
    assert sees_item(caller, ["p2"]) is foreign
    assert sees_item(caller, []) is ownerless
