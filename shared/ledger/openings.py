"""Hidden values of an entry: the log holds commitments to them, and openings show them one by one.

Rules, in order:

1. An entry has one random seed of 32 bytes. The salts of its values are what SHAKE-256 gives for the seed, 32 bytes each, in
   the order of the values' names. So seed and values open everything, and a single value is opened by its own salt.
2. A value is any JSON value. Null is committed to as well: that nothing was said does not show.
3. An opening names each value by the entry's commitment, such as `body.title`. It is verified against the entry alone.

Source: FIPS 202 (SHAKE-256); `commitments` for the rest.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import shake_256
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from shared.canonical import canonical_json
from shared.errors import InputError, VerificationError
from shared.ledger.commitments import SALT_BYTES, commit, new_salt, verify_commitment
from shared.ledger.layout import MAX_ENTRY_BYTES
from shared.schemas import StrictModel, describe_field_errors

# Of the names of a body's hidden fields among an entry's commitments.
BODY = "body."


class FieldOpening(StrictModel):
    """One value that an entry commits to, with the salt of the commitment."""

    value: Any = Field(description="The value, as JSON.")
    salt: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="32 bytes, hexadecimal.")]


# By the name of the commitment.
Opening = Mapping[str, FieldOpening]
_OPENING = TypeAdapter(dict[str, FieldOpening])


@dataclass(frozen=True)
class HiddenValues:
    """What an entry commits to, all of it under one seed.

    Args:
        values: JSON values by the name of the commitment.
        seed: 32 random bytes, of this entry only.
    """

    values: Mapping[str, Any]
    seed: bytes = field(default_factory=new_salt)

    def build(self) -> tuple[dict[str, str], str]:
        """Return the commitments by name, and the values as one JSON object to be kept.

        Raises:
            InputError: a value has no canonical form, or all together are longer than an entry may be.
        """
        names = sorted(self.values)
        spelled = [canonical_json(self.values[name]) for name in names]
        data = b"{%s}" % b",".join(b'"%s":%s' % (name.encode(), value) for name, value in zip(names, spelled, strict=True))
        if len(data) > MAX_ENTRY_BYTES:
            raise InputError(f"entry: expected at most {MAX_ENTRY_BYTES} bytes, got {len(data)}", code="entry_too_long")
        salts = derive_salts(self.seed, len(names))
        return dict(zip(names, map(commit, spelled, salts), strict=True)), data.decode()


def derive_salts(seed: bytes, count: int) -> list[bytes]:
    """Return the salts of an entry's values, in the order of their names.

    Args:
        seed: the entry's, 32 bytes.
        count: how many values the entry commits to.
    """
    salts = shake_256(seed).digest(SALT_BYTES * count)
    return [salts[at : at + SALT_BYTES] for at in range(0, len(salts), SALT_BYTES)]


def open_values(values: Mapping[str, Any], seed: bytes) -> dict[str, FieldOpening]:
    """Build the opening of all values of an entry from its seed."""
    salts = derive_salts(seed, len(values))
    return {name: FieldOpening(value=values[name], salt=salt.hex()) for name, salt in zip(sorted(values), salts, strict=True)}


def verify_opening(opening: Opening, commitments: Mapping[str, str]) -> None:
    """Check that an entry commits to every value of an opening.

    Args:
        opening: what is shown.
        commitments: the entry's, verified before.

    Raises:
        VerificationError: the entry commits to something else, or to nothing of that name.
    """
    for name, shown in opening.items():
        if name not in commitments:
            raise VerificationError(f"opening: expected a name that the entry commits to, got {name[:80]!r}")
        try:
            verify_commitment(shown.value, bytes.fromhex(shown.salt), commitments[name])
        except (InputError, VerificationError) as error:
            raise VerificationError(f"opening of {name}: {error.message}") from error


def parse_opening(text: str) -> dict[str, FieldOpening]:
    """Read an opening: a JSON object of value and salt by name, or an answer that holds one as `opening`.

    Raises:
        InputError: the text is neither.
    """
    try:
        parsed = json.loads(text)
        if isinstance(parsed, dict) and "opening" in parsed:
            parsed = parsed["opening"]
        return _OPENING.validate_python(parsed)
    except ValidationError as error:
        raise InputError(f"expected an opening; {describe_field_errors(error, 'file')}", code="opening_invalid") from error
    except (ValueError, RecursionError) as error:
        raise InputError("expected an opening, got a text that is not JSON", code="opening_invalid") from error
