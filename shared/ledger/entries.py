"""Entries: what the log holds, as RFC 8785 canonical JSON.

Rules, in order:

1. An entry is `{"v", "type", "at", "subject", "body", "commitments"}`, all six always present, and at most
   65,535 bytes in canonical form, because bundles give a length 16 bits.
2. Its canonical bytes are the entry: bytes that are not the canonical form of what they say are refused.
3. The body of a known type fits that type's model; an entry of an unknown type is read and verified all the
   same.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, JsonValue, TypeAdapter, ValidationError, ValidationInfo, model_validator

from shared.canonical import canonical_json
from shared.clock import timestamp
from shared.errors import InputError
from shared.ledger.bodies import BODY_BY_TYPE
from shared.ledger.body_fields import EntryBody, Name, Sha256, Timestamp
from shared.ledger.layout import MAX_ENTRY_BYTES
from shared.schemas import StrictModel, describe_field_errors

_JSON_OBJECT = TypeAdapter(dict[str, JsonValue], config=ConfigDict(strict=True))

# Context of the validation of an entry whose body was made as its type's model.
_BODY_IS_TYPED = "the body is typed"

EntryType = Annotated[str, Field(pattern=r"^[a-z]+\.[a-z]+$")]


class Entry(StrictModel):
    """One act, as the log records it."""

    model_config = ConfigDict(strict=True)

    v: Literal[1] = 1
    type: EntryType
    at: Timestamp
    subject: dict[str, Name]
    body: dict[str, Any]
    commitments: dict[str, Sha256] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check_body(self, info: ValidationInfo) -> Self:
        # A known type's model says all there is to say of its body; that of another type is JSON.
        if info.context is not _BODY_IS_TYPED and self.typed_body() is None:
            _JSON_OBJECT.validate_python(self.body)
        return self

    def typed_body(self) -> EntryBody | None:
        """Return the body as its type's model, or None where the type is unknown."""
        model = BODY_BY_TYPE.get(self.type)
        return None if model is None else model.model_validate(self.body)

    def canonical_bytes(self) -> bytes:
        """Return the bytes that the log holds.

        Returns:
            RFC 8785 canonical JSON, UTF-8.

        Raises:
            InputError: the entry has no canonical form or is longer than 65,535 bytes.
        """
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        try:
            data = canonical_json(fields)
        except RecursionError as error:
            raise InputError("entry: expected a body of moderate depth, got one too deep to serialise") from error
        if len(data) > MAX_ENTRY_BYTES:
            raise InputError(f"entry: expected at most {MAX_ENTRY_BYTES} bytes, got {len(data)}", code="entry_too_long")
        return data


def build_entry(
    body: EntryBody, *, at: datetime, subject: Mapping[str, str], commitments: Mapping[str, str] | None = None
) -> Entry:
    """Build an entry; that it fits into the log shows when its canonical bytes are taken.

    Args:
        body: what took place; its class says of which type the entry is.
        at: when it took place, with a time zone.
        subject: ids and digests of what the entry is about.
        commitments: hexadecimal commitment by name, such as `acquirer.name`.

    Raises:
        InputError: a field is out of range.
    """
    fields = {
        "type": body.entry_type,
        "at": timestamp(at),
        "subject": dict(subject),
        # What was not said stays absent, as in entries of before there was a field for it.
        "body": body.model_dump(mode="json", exclude_unset=True),
        "commitments": dict(commitments or {}),
    }
    return _validate(fields, context=_BODY_IS_TYPED)


def parse_entry(data: bytes) -> Entry:
    """Read an entry from its canonical bytes.

    Args:
        data: what the log holds.

    Returns:
        The entry; its `canonical_bytes()` are `data` again.

    Raises:
        InputError: not JSON, not canonical, or not an entry.
    """
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InputError(f"entry: expected JSON, got {data[:40]!r}") from error
    if not isinstance(fields, dict):
        raise InputError(f"entry: expected a JSON object, got {type(fields).__name__}")
    entry = _validate(fields)
    if entry.canonical_bytes() != data:
        raise InputError("entry: expected RFC 8785 canonical JSON with all six fields, got another spelling")
    return entry


def _validate(fields: dict[str, Any], context: str | None = None) -> Entry:
    try:
        return Entry.model_validate(fields, context=context)
    except ValidationError as error:
        raise InputError(f"entry: {describe_field_errors(error, 'entry')}") from error
