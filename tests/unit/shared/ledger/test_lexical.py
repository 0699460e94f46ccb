"""Decimals and base64: one spelling each, and every other one refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import VerificationError
from shared.ledger.lexical import encode_base64, parse_base64, parse_decimal


@given(st.integers(0, 2**63 - 1))
def test_a_number_has_one_spelling(number: int) -> None:
    assert parse_decimal(str(number), name="size") == number


@pytest.mark.parametrize("text", ["", "-1", "+1", "01", " 1", "1 ", "1\n", "1_0", "1.0", "1e3", "٣", str(2**63), "9" * 400])
def test_what_is_no_decimal_is_refused(text: str) -> None:
    with pytest.raises(VerificationError, match=r"^size: expected a decimal"):
        parse_decimal(text, name="size")


@given(st.binary(max_size=80))
def test_bytes_have_one_spelling(data: bytes) -> None:
    assert parse_base64(encode_base64(data), name="hash") == data


@pytest.mark.parametrize("text", ["A", "AA", "AA=", "AB==", "AA==\n", " AA==", "A-==", "AAAA=", "é"])
def test_what_is_no_canonical_base64_is_refused(text: str) -> None:
    with pytest.raises(VerificationError, match=r"^hash: expected"):
        parse_base64(text, name="hash")


def test_the_size_is_held_where_it_is_given() -> None:
    assert parse_base64("AAAA", name="hash", size_bytes=3) == bytes(3)
    with pytest.raises(VerificationError, match="hash: expected 32 bytes, got 3"):
        parse_base64("AAAA", name="hash", size_bytes=32)
