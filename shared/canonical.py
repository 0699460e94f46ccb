"""Canonical JSON (RFC 8785) and the digests taken over it.

One spelling of a value, so that equal values have equal digests on every machine.
"""

import hashlib
from typing import Any

import rfc8785

from shared.errors import InputError


def canonical_json(value: Any) -> bytes:
    """Serialise a JSON value as RFC 8785 canonical JSON.

    Args:
        value: dicts with string keys, lists, strings, finite numbers, booleans, None.

    Returns:
        UTF-8 bytes.

    Raises:
        InputError: the value has no canonical form (NaN, infinity, an integer beyond 2**53, a foreign type).

    >>> canonical_json({"b": 1, "a": "é"})
    b'{"a":"\\xc3\\xa9","b":1}'
    """
    try:
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as error:
        raise InputError(f"value has no canonical JSON form: {error}", code="not_canonical") from error


def sha256_hex(data: bytes) -> str:
    """Return the SHA-256 of bytes as 64 lower-case hexadecimal digits.

    >>> sha256_hex(b"")[:8]
    'e3b0c442'
    """
    return hashlib.sha256(data).hexdigest()
