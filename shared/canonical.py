"""Canonical JSON (RFC 8785) and the digests taken over it: equal values have equal digests on every machine.

Rules, in order:

1. What `rfc8785` writes is the canonical form; it is exact and slow.
2. Python's own encoder is faster and writes the same bytes for most values: dicts whose keys are ASCII, lists, strings,
   booleans, null, integers that every double holds, and floats that Python and ECMAScript spell alike, all of exactly these
   types. A value with anything else in it (a subclass, an enum, a tuple, 1.0) goes to `rfc8785` whole.

Source: RFC 8785 sections 3.2.2 and 3.2.3.
"""

import hashlib
from json import JSONEncoder
from typing import Any

import rfc8785

from shared.errors import InputError

# RFC 8785 section 3.1 by way of I-JSON (RFC 7493 section 2.2): integers that every double holds exactly.
_MAX_INTEGER = 2**53 - 1

# Section 3.2.3 sorts keys by UTF-16 code units, Python by code points, which is the same for ASCII. Strings are escaped as
# section 3.2.2.2 has it: the control characters, the quote and the backslash, in the same way.
_encode = JSONEncoder(ensure_ascii=False, check_circular=False, allow_nan=False, sort_keys=True, separators=(",", ":")).encode


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
    if value is None:
        return b"null"
    try:
        return _encode(value).encode() if _is_plain(value) else rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as error:
        raise InputError(f"value has no canonical JSON form: {error}", code="not_canonical") from error


def _is_plain(value: Any) -> bool:
    """Say whether Python's encoder writes the canonical form of a value; see rule 2."""
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return True
    if kind is dict:
        return _is_plain_dict(value)
    if kind is list:
        return all([_is_plain(part) for part in value])  # noqa: C419 - a list is quicker for a few parts
    if kind is int:
        return bool(-_MAX_INTEGER <= value <= _MAX_INTEGER)
    return kind is float and _is_plain_float(value)


def _is_plain_dict(value: dict[Any, Any]) -> bool:
    for key, part in value.items():
        if type(key) is not str or not key.isascii():
            return False
        # Spelled out, since most parts are strings and a call for each would cost more than writing them.
        if type(part) is not str and not _is_plain(part):
            return False
    return True


def _is_plain_float(value: float) -> bool:
    # Both write the shortest digits that give the number back. They differ in whole numbers, in exponents, and where they use
    # them: ECMAScript-262, Number::toString; not-a-number and the infinities have no form.
    digits = repr(value)
    return not (digits.endswith(".0") or "e" in digits or "n" in digits)


def sha256_hex(data: bytes) -> str:
    """Return the SHA-256 of bytes as 64 lower-case hexadecimal digits.

    >>> sha256_hex(b"")[:8]
    'e3b0c442'
    """
    return hashlib.sha256(data).hexdigest()
