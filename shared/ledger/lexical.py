"""The two spellings that C2SP texts are made of: decimal numbers and base64, each with exactly one valid
form.

Rules, in order:

1. A decimal has ASCII digits only and no leading zero, and fits a signed 64-bit integer.
2. Base64 is the standard alphabet with padding, and the unused bits of the last character are zero, so that
   no character of a signed or hashed text can change unnoticed.

Source: C2SP tlog-checkpoint, tlog-proof; RFC 4648 sections 3.5 and 4.
"""

import base64
import re

from shared.errors import VerificationError

_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)

# Sizes and indices are kept in SQL BIGINT columns: signed, 64 bits.
_LARGEST = 2**63 - 1


def parse_decimal(text: str, *, name: str) -> int:
    """Read a number in its only decimal spelling.

    Args:
        text: the digits.
        name: what the number is, for the message.

    Returns:
        An integer in 0..2**63-1.

    Raises:
        VerificationError: a sign, a space, a leading zero, a foreign digit, or a number too large.

    >>> parse_decimal("109482", name="tree size")
    109482
    """
    if _DECIMAL.fullmatch(text) is None or int(text) > _LARGEST:
        raise VerificationError(f"{name}: expected a decimal number without leading zeroes, got {text[:40]!r}")
    return int(text)


def encode_base64(data: bytes) -> str:
    """Spell bytes in standard base64.

    >>> encode_base64(b"log")
    'bG9n'
    """
    return base64.b64encode(data).decode("ascii")


def parse_base64(text: str, *, name: str, size_bytes: int | None = None) -> bytes:
    """Read bytes from their only base64 spelling.

    Args:
        text: the base64 characters.
        name: what the bytes are, for the message.
        size_bytes: the number of bytes that must come out; any where it is not given.

    Returns:
        The bytes.

    Raises:
        VerificationError: not base64, not its canonical spelling, or not of the size expected.

    >>> parse_base64("bG9n", name="extra")
    b'log'
    """
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise VerificationError(f"{name}: expected base64, got {text[:40]!r}") from error
    if encode_base64(data) != text:
        raise VerificationError(f"{name}: expected canonical base64, got {text[-40:]!r}")
    if size_bytes is not None and len(data) != size_bytes:
        raise VerificationError(f"{name}: expected {size_bytes} bytes, got {len(data)}")
    return data
