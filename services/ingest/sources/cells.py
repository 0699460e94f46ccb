"""One cell of a source read as what a registration needs, or kept as JSON can carry it.

Rules, in order:

1. Every reader returns the value, or raises `CellError` with what was expected. Nothing is guessed.
2. `to_json` keeps every value: what JSON has no word for is spelled as text. `to_storable` also takes out of texts what no
   database holds, and cuts what is too long to be kept.
3. Missing values of programs (NaN, None, "n/a") are no values.

Source: RFC 8259; RFC 7493 section 2.2; RFC 3987 section 3.1 for addresses with spaces.
"""

import base64
import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time
from math import isfinite
from typing import Any

from services.ingest.items.placeholders import is_missing

# RFC 7493 section 2.2: integers beyond this are not exact in every JSON reader.
MAX_INTEGER = 2**53 - 1
# That of a text and of an address in a registration.
MAX_TEXT_CHARS = 2000
# Our own bounds on what is kept of one column beside the record.
MAX_CELL_CHARS = 2**20
MAX_DEPTH = 20
_DAY = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[T ].*)?")
# PostgreSQL's text holds no zero character, and UTF-8 no half of a surrogate pair.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_SPACE = re.compile(r"[\s\x00-\x20]")
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


class CellError(ValueError):
    """A cell that is not what its column should hold; the text says what was expected."""


def to_json(value: Any) -> Any:
    """Spell a value so that JSON can carry it, and nothing of it is lost.

    >>> to_json({"at": date(2026, 1, 31), "n": 2**60, "mask": b"abc"})
    {'at': '2026-01-31', 'n': '1152921504606846976', 'mask': 'base64:YWJj'}
    """
    if isinstance(value, dict):
        return {str(name): to_json(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(part) for part in value]
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, bytes):
        return "base64:" + base64.b64encode(value).decode("ascii")
    return value if _is_json(value) else str(value)


def _is_json(value: Any) -> bool:
    if isinstance(value, int):
        return abs(value) <= MAX_INTEGER
    return isfinite(value) if isinstance(value, float) else value is None or isinstance(value, str)


def to_storable(value: Any, depth: int = 0) -> Any:
    """Return a value of `to_json` as a record can keep it; the same value where it can be kept as it is.

    >>> to_storable(["a\\0b", 1])
    ['a\\ufffdb', 1]
    """
    if isinstance(value, str):
        text = _UNSTORABLE.sub("\ufffd", value)
        return text if len(text) <= MAX_CELL_CHARS else text[: MAX_CELL_CHARS - 1] + "…"
    if isinstance(value, (dict, list)) and depth >= MAX_DEPTH:
        return str(value)[:MAX_TEXT_CHARS]
    if isinstance(value, dict):
        return {to_storable(name): to_storable(part, depth + 1) for name, part in value.items()}
    return [to_storable(part, depth + 1) for part in value] if isinstance(value, list) else value


def is_empty(value: Any) -> bool:
    """Say whether a cell holds nothing: None, an empty text or list, NaN, or a program's word for a missing value."""
    if isinstance(value, float):
        return value != value  # noqa: PLR0124 - NaN is the one value that differs from itself
    if isinstance(value, str):
        return is_missing(value)
    return value is None or (isinstance(value, (list, tuple, dict)) and not value)


def read_text(value: Any) -> str:
    """Read a cell as one line of text.

    Raises:
        CellError: it is a list, a table or a truth value, or too long.
    """
    if isinstance(value, bytes):
        value = value.decode("utf-8", errors="replace")
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise CellError(f"expected a text, got {_kind(value)}")
    if _UNSTORABLE.search(value):
        raise CellError("expected a text without zero characters and broken ones")
    text = value.strip()
    if len(text) > MAX_TEXT_CHARS:
        raise CellError(f"expected at most {MAX_TEXT_CHARS:,} characters, got {len(text):,}")
    return text


def read_title(value: Any) -> tuple[str | None, str | None]:
    """Read a caption of any kind.

    Returns:
        A title of bounded length, None where there is none; and what is not as in the cell, None where all of it is.
    """
    note = None
    if isinstance(value, (list, tuple)):
        texts = [part for part in value if isinstance(part, str) and part.strip()]
        value, note = next(iter(texts), None), f"the first of {len(value)} texts is the title"
    try:
        return (read_text(value) or None) if value is not None else None, note
    except CellError as error:
        if not isinstance(value, (str, bytes)):
            return None, str(error)
        text = value if isinstance(value, str) else value.decode("utf-8", errors="replace")
        text = _UNSTORABLE.sub("\ufffd", text).strip()
        return text if len(text) <= MAX_TEXT_CHARS else text[: MAX_TEXT_CHARS - 1] + "…", str(error)


def read_url(value: Any) -> tuple[str, str | None]:
    """Read a web address.

    Returns:
        The address; and what was changed in it, None where nothing was.

    Raises:
        CellError: it is none of http or https, or too long.

    >>> read_url("https://example.org/my photo.png")
    ('https://example.org/my%20photo.png', 'spaces are percent-encoded')
    """
    text = read_text(value)
    if not text.lower().startswith(("http://", "https://")):
        raise CellError(f"expected an address of http or https, got {text[:40]!r}")
    scheme, colon, rest = text.partition(":")
    address = (
        scheme.lower() + colon + _SPACE.sub(lambda space: f"%{ord(space[0]):02X}" if ord(space[0]) < 128 else "%20", rest)
    )
    if len(address) > MAX_TEXT_CHARS or not rest.strip("/"):
        raise CellError(f"expected an address of at most {MAX_TEXT_CHARS:,} characters, got {len(address):,}")
    return address, "spaces are percent-encoded" if _SPACE.search(rest) else None


def read_day(value: Any) -> str:
    """Read a day, also out of a time.

    Raises:
        CellError: it is none.
    """
    text = value.isoformat() if isinstance(value, (date, datetime)) else read_text(value)
    match = _DAY.fullmatch(text)
    try:
        return date.fromisoformat(match[1]).isoformat() if match else _no_day(text)
    except ValueError as error:
        raise CellError(f"expected a day such as 2026-01-31, got {text[:40]!r}") from error


def _no_day(text: str) -> str:
    raise CellError(f"expected a day such as 2026-01-31, got {text[:40]!r}")


def read_moment(value: Any) -> str:
    """Read a time with its zone.

    Raises:
        CellError: it is none, or names no zone.
    """
    text = value.isoformat() if isinstance(value, (date, datetime)) else read_text(value)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise CellError(f"expected a time such as 2026-01-31T12:00:00Z, got {text[:40]!r}") from error
    if moment.tzinfo is None:
        raise CellError(f"expected a time with its zone, such as 2026-01-31T12:00:00Z, got {text[:40]!r}")
    return text


def read_sha256(value: Any) -> str:
    """Read a SHA-256.

    Raises:
        CellError: it is none.
    """
    text = value.hex() if isinstance(value, bytes) and len(value) == 32 else read_text(value)
    if _SHA256.fullmatch(text) is None:
        raise CellError("expected a SHA-256 of 64 hexadecimal digits")
    return text


def read_names(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the names in a cell, each with the address that stands beside it: a text, a table with `name`, or a list of these.

    Raises:
        CellError: it holds no name.
    """
    for part in value if isinstance(value, (list, tuple)) else [value]:
        if isinstance(part, Mapping):
            yield read_text(part.get("name")), part.get("url")
        elif isinstance(part, (str, bytes)):
            yield read_text(part), None
        elif not is_empty(part):
            raise CellError(f"expected a name, got {_kind(part)}")


def _kind(value: Any) -> str:
    if value is None:
        return "nothing"
    kinds = {bool: "a truth value", int: "a number", float: "a number", list: "a list", tuple: "a list", dict: "a table"}
    return kinds.get(type(value), type(value).__name__)
