"""Salted commitments: the log can bind a personal datum without holding it.

A commitment is HMAC-SHA-256 under a random 32-byte salt. The salt is kept beside the value, in the
database, and handed out with it; once both are erased, the commitment says nothing about the value, and
every proof stays valid.

Source: RFC 2104; the salt is as long as the digest, RFC 2104 section 3.
"""

import hmac
import secrets

from shared.canonical import canonical_json
from shared.errors import InputError, VerificationError

SALT_BYTES = 32


def new_salt() -> bytes:
    """Draw a fresh 32-byte salt from the operating system."""
    return secrets.token_bytes(SALT_BYTES)


def build_commitment(value: str, salt: bytes) -> str:
    """Commit to a value.

    Args:
        value: the text to bind.
        salt: 32 random bytes, used for this value only.

    Returns:
        64 lower-case hexadecimal digits.

    Raises:
        InputError: the salt is not 32 bytes, or the value is not Unicode text.

    >>> build_commitment("Ada", bytes(32))[:8]
    '2b6058b7'
    """
    if len(salt) != SALT_BYTES:
        raise InputError(f"salt: expected {SALT_BYTES} bytes, got {len(salt)}")
    return hmac.digest(salt, canonical_json(value), "sha256").hex()


def verify_commitment(value: str, salt: bytes, commitment: str) -> None:
    """Check that a commitment is to this value.

    Args:
        value: the text.
        salt: the 32 bytes handed out with it.
        commitment: hexadecimal digits from the entry.

    Raises:
        InputError: the salt is not 32 bytes.
        VerificationError: the commitment is to something else.
    """
    computed = build_commitment(value, salt)
    if not hmac.compare_digest(computed.encode(), commitment.encode()):
        raise VerificationError(f"commitment: expected {commitment[:64]}, got {computed}")
