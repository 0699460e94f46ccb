"""Canonical JSON (RFC 8785) and the digests taken over it: one spelling of a value, so that equal values have equal
digests on every machine.

Rules, in order:

1. What `rfc8785` writes is the canonical form; it is exact and slow.
2. What an entry mostly is, is written here in the same bytes: strings, small integers, booleans, null, lists, and dicts
   whose keys are ASCII, of exactly these types. Any other part of a value (a float, a subclass, an enum, a tuple) is
   handed to `rfc8785`, and what comes back is put in its place.

Source: RFC 8785 sections 3.2.2 and 3.2.3.
"""

import hashlib
from json.encoder import encode_basestring
from typing import Any

import rfc8785

from shared.errors import InputError

# RFC 8785 section 3.1 by way of I-JSON (RFC 7493 section 2.2): integers that every double holds exactly.
_MAX_INTEGER = 2**53 - 1

_LITERALS = {None: "null", True: "true", False: "false"}


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
        return _encode(value).encode()
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as error:
        raise InputError(f"value has no canonical JSON form: {error}", code="not_canonical") from error


def _encode(value: Any) -> str:
    kind = type(value)
    if kind is str:
        # Python escapes what section 3.2.2.2 does, in the same way: the control characters, the quote and the backslash.
        return encode_basestring(value)
    if kind is dict and _has_plain_keys(value):
        return "{" + ",".join([f"{encode_basestring(key)}:{_encode(value[key])}" for key in sorted(value)]) + "}"
    if kind is list:
        return "[" + ",".join([_encode(item) for item in value]) + "]"
    if value is None or kind is bool:
        return _LITERALS[value]
    if kind is int and -_MAX_INTEGER <= value <= _MAX_INTEGER:
        return str(value)
    return rfc8785.dumps(value).decode()


def _has_plain_keys(value: dict[Any, Any]) -> bool:
    # Section 3.2.3 sorts by UTF-16 code units; Python by code points, which is the same for ASCII.
    return all([type(key) is str and key.isascii() for key in value])  # noqa: C419 - a list is quicker for a few keys


def sha256_hex(data: bytes) -> str:
    """Return the SHA-256 of bytes as 64 lower-case hexadecimal digits.

    >>> sha256_hex(b"")[:8]
    'e3b0c442'
    """
    return hashlib.sha256(data).hexdigest()
