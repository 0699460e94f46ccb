"""Registrations as JSON Lines: bytes cut into lines, a line made a row.

Rules, in order:

1. A line is one JSON object: the fields of a `Registration`, and either `image`, the file in base64, or `sha256` of bytes that
   are registered already. With both, the image must have the digest.
2. Lines are counted from 1, empty ones too; an empty one is no row. The last line need not be ended.
3. Bytes are read as they come and no more than one line of them is held; of a line beyond the cap only the head is, until its
   end has gone by. Memory does not grow with the number of lines.
4. A line with anything wrong is a bad row with its number; the lines around it are not touched.

Source: https://jsonlines.org; RFC 8259 section 8.1: UTF-8, a byte order mark is not accepted.
"""

import base64
import binascii
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from services.ingest.bulk.rows import BadRow, HeldRow, Pause, Row, check_sha256, refuse, validate_registration
from shared.errors import InputError, SleeveError

# All that a record may hold beside its image: an entry of the log takes 65,535 bytes, `extra` is kept beside it.
MAX_RECORD_BYTES = 2**20
# What is kept of a line beyond the cap: enough to tell two streams apart by their first line.
HEAD_BYTES = 2**16
# The hexadecimal digits of a SHA-256.
DIGEST_DIGITS = 64


@dataclass(frozen=True)
class Line:
    """One line: its number from 1, its bytes without the end, and whether they are only the head of a line beyond the cap."""

    number: int
    data: bytes
    is_cut: bool = False

    @property
    def name(self) -> str:
        """What stands for the key of a row that has none."""
        return f"line {self.number}"


def max_line_bytes(max_image_bytes: int) -> int:
    """Return the cap on a line: the largest image in base64 and a record.

    >>> max_line_bytes(3)
    1048580
    """
    # RFC 4648 section 4: four characters for every three bytes begun.
    return (max_image_bytes + 2) // 3 * 4 + MAX_RECORD_BYTES


def read_lines(chunks: Iterable[bytes | Pause], max_bytes: int) -> Iterator[Line | Pause]:
    """Cut a stream of bytes into lines; pauses are handed on.

    Args:
        chunks: the stream in pieces of any size.
        max_bytes: the cap on one line.

    >>> [line.data for line in read_lines([b'{"a"', b':1}\\n\\n{', b"}"], 100)]
    [b'{"a":1}', b'', b'{}']
    """
    held: list[bytes] = []
    held_bytes, number = 0, 1
    is_cut = False
    for chunk in chunks:
        if isinstance(chunk, Pause):
            yield chunk
            continue
        *ended, rest = chunk.split(b"\n")
        for piece in ended:
            is_cut = is_cut or held_bytes + len(piece) > max_bytes
            data = b"".join([*held, piece])
            yield Line(number, data[:HEAD_BYTES] if is_cut else data, is_cut)
            held, held_bytes, is_cut, number = [], 0, False, number + 1
        held.append(rest)
        held_bytes += len(rest)
        if held_bytes > max_bytes or is_cut:
            held, is_cut = [b"".join(held)[:HEAD_BYTES]], True
            held_bytes = len(held[0])
    if held_bytes:
        yield Line(number, b"".join(held), is_cut)


def parse_line(
    line: Line,
    max_bytes: int,
    defaults: Mapping[str, Any] | None = None,
    fit: Callable[[dict[str, Any]], dict[str, Any]] = dict,
) -> Row | HeldRow | BadRow:
    """Make a row of a line.

    Args:
        line: as read.
        max_bytes: the cap that it was read with, for the message.
        defaults: fields for a line that does not have them.
        fit: makes of a line's fields what a registration takes.

    Returns:
        The row; a bad one, whose key is the line's number, where the line cannot be understood, and whose key is the source
        key where it was.
    """
    key = line.name
    try:
        if line.is_cut:
            raise InputError(f"line {line.number}: expected at most {max_bytes:,} bytes, got more", code="line_too_long")
        fields = fit({**(defaults or {}), **_parse_object(line)})
        key = _key_of(fields) or key
        return _build_row(key, fields)
    except SleeveError as error:
        return refuse(key, error)


def _parse_object(line: Line) -> dict[str, Any]:
    try:
        fields = json.loads(line.data.decode())
    except (ValueError, RecursionError) as error:
        raise InputError(f"line {line.number} is no JSON in UTF-8: {error}", code="line_malformed") from error
    if not isinstance(fields, dict):
        raise InputError(f"line {line.number}: expected a JSON object, got {type(fields).__name__}", code="line_malformed")
    return fields


def _key_of(fields: Mapping[str, Any]) -> str | None:
    key = fields.get("source_key")
    return key if isinstance(key, str) and key.strip() else None


def _build_row(key: str, fields: dict[str, Any]) -> Row | HeldRow:
    image, sha256 = fields.pop("image", None), fields.pop("sha256", None)
    if image is None and sha256 is None:
        raise InputError(
            "expected image, the file in base64, or sha256 of bytes registered before; got neither", code="image_missing"
        )
    registration = validate_registration(fields)
    key = registration.source_key
    if image is None:
        return HeldRow(key, registration, _parse_digest(sha256))
    data = _decode(image)
    if sha256 is not None:
        check_sha256(data, _parse_digest(sha256))
    return Row(key, registration, data)


def _parse_digest(value: Any) -> str:
    digest = value.lower() if isinstance(value, str) else ""
    if len(digest) != DIGEST_DIGITS or set(digest) - set("0123456789abcdef"):
        raise InputError(f"sha256: expected {DIGEST_DIGITS} hexadecimal digits, got {str(value)[:80]!r}", code="row_invalid")
    return digest


def _decode(image: Any) -> bytes:
    if not isinstance(image, str):
        raise InputError(f"image: expected a text in base64, got {type(image).__name__}", code="row_invalid")
    try:
        return base64.b64decode(image, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InputError(f"image is no base64 (RFC 4648 section 4): {error}", code="row_invalid") from error
