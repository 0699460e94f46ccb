"""The text of a key: `sleeve_<id>_<secret><checksum>`. It is made once, shown once and never stored.

Rules, in order:

1. The id is public: it stands in logs and entries. The secret is 256 random bits, so a plain SHA-256 of the key is all that
   has to be stored (docs/adr/0021-keys-with-scopes.md).
2. The checksum is the CRC-32 of what stands before it. A key that was cut or mistyped is refused without a query to the
   database, and a scanner of leaked secrets tells a key from a name that looks like one.
3. Secrets are compared by their digests, in constant time.

Source: GitHub, "Behind GitHub's new authentication token formats" (2021): prefix, underscores, base 62, CRC-32 in six digits.
"""

import hmac
import re
import secrets
import string
import zlib
from dataclasses import dataclass, field

from shared.canonical import sha256_hex
from shared.ids import new_id

PREFIX = "sleeve"
SECRET_BITS = 256
# 62^43 > 2^256 and 62^6 > 2^32.
SECRET_DIGITS, CHECKSUM_DIGITS = 43, 6
_DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
# What scanners may look for.
PATTERN = rf"{PREFIX}_[0-9a-f]{{32}}_[0-9A-Za-z]{{{SECRET_DIGITS + CHECKSUM_DIGITS}}}"
_KEY = re.compile(PATTERN, re.ASCII)


@dataclass(frozen=True)
class KeyText:
    """A key as its holder has it; its secret does not show when it is printed."""

    id: str
    text: str = field(repr=False)

    @property
    def sha256(self) -> str:
        """What is stored of it."""
        return sha256_hex(self.text.encode())

    def is_of(self, sha256: str) -> bool:
        """Say in constant time whether a stored digest is this key's."""
        return hmac.compare_digest(self.sha256, sha256)


def new_key_text() -> KeyText:
    """Make a key.

    >>> made = new_key_text()
    >>> parse_key_text(made.text) == made
    True
    """
    key_id = new_id().replace("-", "")
    body = f"{PREFIX}_{key_id}_{_base62(secrets.randbits(SECRET_BITS), SECRET_DIGITS)}"
    return KeyText(key_id, body + _checksum(body))


def parse_key_text(text: str) -> KeyText | None:
    """Read a key; None where it is none, or its checksum is wrong.

    >>> parse_key_text("sleeve_0198c0de") is None
    True
    """
    if _KEY.fullmatch(text) is None or _checksum(text[:-CHECKSUM_DIGITS]) != text[-CHECKSUM_DIGITS:]:
        return None
    return KeyText(text.split("_")[1], text)


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode()), CHECKSUM_DIGITS)


def _base62(number: int, digits: int) -> str:
    text = ""
    for _ in range(digits):
        number, digit = divmod(number, 62)
        text = _DIGITS[digit] + text
    return text
