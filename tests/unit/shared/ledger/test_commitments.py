"""A commitment holds for its value and its salt alone."""

import pytest

from shared.errors import InputError, VerificationError
from shared.ledger.commitments import build_commitment, new_salt, verify_commitment


def test_a_commitment_holds_for_its_value_and_salt_only() -> None:
    salt = new_salt()
    commitment = build_commitment("Ada Lovelace", salt)
    verify_commitment("Ada Lovelace", salt, commitment)
    for value, other_salt, other in (
        ("Ada", salt, commitment),
        ("Ada Lovelace", new_salt(), commitment),
        ("Ada Lovelace", salt, commitment[:-1]),
        ("Ada Lovelace", salt, "é"),
    ):
        with pytest.raises(VerificationError, match="commitment: expected"):
            verify_commitment(value, other_salt, other)
    with pytest.raises(InputError, match="expected 32 bytes, got 0"):
        build_commitment("Ada Lovelace", b"")
