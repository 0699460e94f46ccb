"""Entries: what the log holds, as RFC 8785 canonical JSON.

Rules, in order:

1. An entry is `{"v", "type", "at", "subject", "body", "commitments"}`, all six always present, and at most
   65,535 bytes in canonical form, because bundles give a length 16 bits.
2. Its canonical bytes are the entry: bytes that are not the canonical form of what they say are refused.
3. The body of a known type fits that type's model; an entry of an unknown type is read and verified all the
   same.
4. Version 2, which is what is written: the body holds the fields that its type shows in clear. To each of the others the
   entry commits as `body.<field>`, and to whom it was made for as `by`. `shared.ledger.openings` says how they are opened.
5. Version 1 shows its whole body. Entries of it stay valid for ever.

Why: docs/adr/0027-the-log-shows-what-it-must.md.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import (
    ConfigDict,
    Field,
    JsonValue,
    PrivateAttr,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from shared.canonical import canonical_json
from shared.clock import timestamp
from shared.errors import InputError
from shared.ledger.authorship import BY, current_author
from shared.ledger.bodies import BODY_BY_TYPE
from shared.ledger.body_fields import EntryBody, Name, Sha256, Timestamp
from shared.ledger.layout import MAX_ENTRY_BYTES
from shared.ledger.openings import BODY, HiddenValues, Opening
from shared.schemas import StrictModel, describe_field_errors

_JSON_OBJECT = TypeAdapter(dict[str, JsonValue], config=ConfigDict(strict=True))

# Context of the validation of an entry whose body was made as its type's model.
_BODY_IS_TYPED = "the body is typed"

EntryType = Annotated[str, Field(pattern=r"^[a-z]+\.[a-z]+$")]


@dataclass(frozen=True)
class KeptOpening:
    """What opens an entry that was just built, to be kept beside it in the records.

    Args:
        author: what the entry's author is looked up by.
        seed: from which the salts are derived, 32 bytes.
        values: a JSON object, the hidden values by the name of their commitment.
    """

    author: str
    seed: bytes
    values: str


class Entry(StrictModel):
    """One act, as the log records it."""

    model_config = ConfigDict(strict=True)

    v: Literal[1, 2] = 1
    type: EntryType
    at: Timestamp
    subject: dict[str, Name]
    body: dict[str, Any]
    commitments: dict[str, Sha256] = Field(default_factory=dict)
    _opening: KeptOpening | None = PrivateAttr(default=None)

    @property
    def opening(self) -> KeptOpening | None:
        """What opens the entry, where it was built here; one that was read has none."""
        return self._opening

    def keep_opening(self, opening: KeptOpening) -> Self:
        """Keep what opens this entry, until it is appended, and return the entry."""
        self._opening = opening
        return self

    @model_validator(mode="after")
    def _check_body(self, info: ValidationInfo) -> Self:
        if info.context is _BODY_IS_TYPED:
            return self
        model = BODY_BY_TYPE.get(self.type)
        if model is None:
            # A known type's model says all there is to say of its body; that of another type is JSON.
            _JSON_OBJECT.validate_python(self.body)
        elif self.v == 1:
            model.model_validate(self.body)
        else:
            model.clear_model().model_validate(self.body)
            _check_commitments(model, self.commitments)
        return self

    def opened_body(self, opening: Opening) -> dict[str, Any]:
        """Return what the entry shows of its body, with what an opening adds; the opening is not verified."""
        hidden = {name.removeprefix(BODY): shown.value for name, shown in opening.items() if name.startswith(BODY)}
        return {**self.body, **hidden}

    def typed_body(self, opening: Opening | None = None) -> EntryBody | None:
        """Return the body as its type's model.

        Args:
            opening: of the hidden fields, verified before.

        Returns:
            The body; None where the type is unknown, or a field is hidden that the opening does not show.
        """
        model = BODY_BY_TYPE.get(self.type)
        body = self.opened_body(opening or {})
        if model is None:
            return None
        # Older entries do not commit to the fields that came later.
        hidden = {name for name in model.hidden() if self.v > 1 and f"{BODY}{name}" in self.commitments}
        if not body.keys() >= hidden:
            return None
        return model.model_validate(body)

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


def _check_commitments(model: type[EntryBody], commitments: Mapping[str, str]) -> None:
    # A field that came later than its type has a default, and older entries do not commit to it.
    hidden = (f"{BODY}{name}" for name in model.hidden() if model.model_fields[name].is_required())
    if missing := [name for name in (BY, *hidden) if name not in commitments]:
        raise ValueError(f"expected a commitment to {missing[0]}")


def build_entry(
    body: EntryBody, *, at: datetime, subject: Mapping[str, str], commitments: Mapping[str, str] | None = None
) -> Entry:
    """Build an entry for the present author, with its opening; appending it to the log keeps both.

    That it fits into the log shows when its canonical bytes are taken.

    Args:
        body: what took place; its class says of which type the entry is, and what of it the log shows.
        at: when it took place, with a time zone.
        subject: ids and digests of what the entry is about.
        commitments: hexadecimal commitment by name, such as `acquirer.name`.

    Raises:
        InputError: a field is out of range, or the hidden fields are too long to be kept.
    """
    # What was not said stays absent, as in entries of before there was a field for it.
    stated = body.model_dump(mode="json", exclude_unset=True)
    author, model = current_author(), type(body)
    values = {f"{BODY}{name}": stated.pop(name, model.model_fields[name].default) for name in model.hidden()}
    hidden = HiddenValues(values | {BY: author.describe()})
    by_name, kept = hidden.build()
    fields = {
        "v": 2,
        "type": body.entry_type,
        "at": timestamp(at),
        "subject": dict(subject),
        "body": stated,
        "commitments": {**(commitments or {}), **by_name},
    }
    return _validate(fields, context=_BODY_IS_TYPED).keep_opening(KeptOpening(author.name, hidden.seed, kept))


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
