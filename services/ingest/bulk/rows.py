"""What bulk registration takes: rows, each good or bad, and pauses between them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from services.ingest.items.schemas import Registration
from services.ingest.registration.preparation import EarlierForm
from services.ingest.signals.signal import Signal
from shared.canonical import sha256_hex
from shared.errors import InputError, SleeveError
from shared.schemas import describe_field_errors


@dataclass(frozen=True)
class Row:
    """One image of a source: where it stands in the source, its record, its bytes.

    `earlier` is the form in which it may be registered already, `spare_key` its key where the first stands for other bytes.
    """

    key: str
    registration: Registration
    data: bytes
    earlier: EarlierForm | None = field(default=None, kw_only=True)
    spare_key: str | None = field(default=None, kw_only=True)

    def source_signals(self) -> Sequence[Signal]:
        """Rights signals that came with the bytes; a source that only reads files has none."""
        return ()


@dataclass(frozen=True)
class HeldRow:
    """A further item of bytes that are registered already, named by their SHA-256."""

    key: str
    registration: Registration
    sha256: str


@dataclass(frozen=True)
class Pause:
    """A source has to wait for its next row: the rows before are registered without it."""


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be registered, and why."""

    key: str
    error: SleeveError


@dataclass(frozen=True)
class NoPicture:
    """A file of a source that is no picture: it has a line, and nothing is wrong with it."""

    key: str


# What a source yields for a row.
AnyRow = Row | HeldRow | BadRow | NoPicture


def refuse(key: str, error: SleeveError) -> BadRow:
    """Make a bad row of an error, without the frames it was raised in, which would keep the row's bytes in memory."""
    return BadRow(key, type(error)(error.message, code=error.code))


def validate_registration(record: Mapping[str, Any]) -> Registration:
    """Make a registration of its fields.

    Raises:
        InputError: a field's value cannot be accepted; the message names each.
    """
    try:
        return Registration.model_validate(record)
    except ValidationError as error:
        raise InputError(f"row does not fit: {describe_field_errors(error, 'row')}", code="row_invalid") from error


def check_sha256(data: bytes, expected: str) -> None:
    """Check bytes against the digest that their row states.

    Raises:
        InputError: they differ.
    """
    got = sha256_hex(data)
    if got != str(expected).lower():
        raise InputError(f"bytes differ from the row's sha256: expected {expected}, got {got}", code="sha256_differs")
