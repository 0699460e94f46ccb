"""Openings: each value alone, from one seed; nothing else opens a commitment, and null shows no less than a text."""

import json
from typing import Any

import pytest

from shared.errors import InputError, VerificationError
from shared.ledger.openings import FieldOpening, HiddenValues, open_values, parse_opening, verify_opening

VALUES: dict[str, Any] = {
    "body.title": "Eine schöne Blume",
    "body.seed": None,
    "body.owners": [{"share": 0.5}],
    "by": {"key": None},
}


def test_a_value_is_opened_alone_and_says_nothing_of_the_others() -> None:
    hidden = HiddenValues(VALUES)
    commitments, kept = hidden.build()
    assert json.loads(kept) == VALUES
    assert commitments.keys() == VALUES.keys()
    whole = open_values(VALUES, hidden.seed)
    for name, shown in whole.items():
        verify_opening({name: shown}, commitments)
        assert shown.salt != hidden.seed.hex()
    assert len({shown.salt for shown in whole.values()}) == len(VALUES)
    assert HiddenValues(VALUES).build()[0].items().isdisjoint(commitments.items())


@pytest.mark.parametrize("value", ["Eine schöne blume", None, 1, ["Eine schöne Blume"], ""])
def test_another_value_is_refused(value: Any) -> None:
    hidden = HiddenValues(VALUES)
    commitments, _ = hidden.build()
    salt = open_values(VALUES, hidden.seed)["body.title"].salt
    with pytest.raises(VerificationError, match=r"opening of body\.title: commitment: expected"):
        verify_opening({"body.title": FieldOpening(value=value, salt=salt)}, commitments)


def test_another_salt_or_name_is_refused() -> None:
    hidden = HiddenValues(VALUES)
    commitments, _ = hidden.build()
    opening = open_values(VALUES, hidden.seed)
    with pytest.raises(VerificationError, match="expected a name that the entry commits to"):
        verify_opening({"body.other": opening["body.title"]}, commitments)
    with pytest.raises(VerificationError, match=r"opening of body\.seed"):
        verify_opening({"body.seed": FieldOpening(value=None, salt=opening["body.title"].salt)}, commitments)


def test_an_opening_is_read_from_its_own_file_or_from_an_answer() -> None:
    opening = open_values(VALUES, bytes(32))
    plain = json.dumps({name: shown.model_dump() for name, shown in opening.items()})
    assert parse_opening(plain) == parse_opening(f'{{"receipt": "…", "opening": {plain}}}') == opening
    for text in ("", "[]", "7", '{"body.title": {"value": 1}}', '{"a": {"value": 1, "salt": "xy"}}', "[" * 100_000):
        with pytest.raises(InputError) as caught:
            parse_opening(text)
        assert caught.value.code == "opening_invalid"


def test_values_without_a_canonical_form_or_beyond_the_limit_are_refused() -> None:
    for values in ({"a": float("nan")}, {"a": "x" * 65_536}):
        with pytest.raises(InputError):
            HiddenValues(values).build()
