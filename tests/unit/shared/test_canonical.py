"""Canonical JSON: byte for byte what `rfc8785` writes, and the same refusals."""

import enum
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from shared.canonical import canonical_json
from shared.errors import InputError


class Colour(enum.IntEnum):
    RED = 1


class Word(enum.StrEnum):
    YES = "yes"


class Text(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "something else"


# Surrogates too, alone or not: what has no UTF-8 must be refused.
texts = st.text() | st.text(st.characters(max_codepoint=0x7F)) | st.text(st.characters(categories=["Cs", "Lu"]))
foreign = st.sampled_from([Colour.RED, Word.YES, Text("text"), (1, "a"), {1: 2}, {Word.YES: 1}, {Text("é"): 1}, b"", {1, 2}])
atoms = st.none() | st.booleans() | st.integers() | st.integers(-(2**53) - 1, 2**53 + 1) | st.floats() | texts | foreign
values = st.recursive(atoms, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=20)


def reference(value: Any) -> bytes | None:
    """What `rfc8785` writes, or None where it refuses."""
    try:
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError):
        return None


@given(values)
def test_any_value_gives_the_bytes_of_the_reference_or_its_refusal(value: Any) -> None:
    expected = reference(value)
    if expected is None:
        with pytest.raises(InputError, match="no canonical JSON form"):
            canonical_json(value)
    else:
        assert canonical_json(value) == expected


def test_every_character_is_escaped_as_the_reference_does() -> None:
    for code in (*range(0x3000), 0xD7FF, 0xE000, 0xFFFF, 0x10000, 0x10FFFF):
        assert canonical_json(chr(code)) == rfc8785.dumps(chr(code))
    assert canonical_json('\b\t\n\f\r"\\/\x00\x1f\x7f\u2028') == b'"\\b\\t\\n\\f\\r\\"\\\\/\\u0000\\u001f\x7f\xe2\x80\xa8"'


def test_keys_are_in_the_order_of_utf_16() -> None:
    # RFC 8785 section 3.2.3: U+1F600 begins with the code unit D83D, which is before FB33.
    keys = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\x80", "\u00f6"]
    ordered = ["\r", "1", "\x80", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]
    assert canonical_json({"k": dict.fromkeys(keys, 0)}) == canonical_json({"k": dict.fromkeys(ordered, 0)})
    written = canonical_json(dict.fromkeys(keys, 0)).decode()
    assert [written.index(key) for key in ordered[1:]] == sorted(written.index(key) for key in ordered[1:])


@pytest.mark.parametrize("value", [2**53, -(2**53), float("nan"), float("inf"), "\ud800", {"\udfff": 1}, {"a": {1}}, {1: 1}])
def test_what_has_no_canonical_form_is_refused(value: Any) -> None:
    with pytest.raises(InputError, match="no canonical JSON form"):
        canonical_json([{"a": value}])
