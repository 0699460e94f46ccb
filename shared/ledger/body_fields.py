"""What bodies of entries are made of: the kinds of values, and the bases of bodies and their parts."""

import re
from collections.abc import Mapping
from datetime import date, datetime
from functools import cache
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, ConfigDict, Field, ValidationError, create_model

from shared.errors import InputError
from shared.schemas import StrictModel, describe_field_errors

_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)


def _check_timestamp(value: str) -> str:
    if _TIMESTAMP.fullmatch(value) is None:
        raise ValueError("expected RFC 3339 UTC with milliseconds, such as 2026-01-31T12:00:00.000Z")
    datetime.fromisoformat(value)  # refuses the 30th of February
    return value


Timestamp = Annotated[str, AfterValidator(_check_timestamp)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Name = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]


def _check_day(value: str) -> str:
    if date.fromisoformat(value).isoformat() != value:
        raise ValueError("expected a day such as 2026-01-31")
    return value


# ISO 8601 calendar date, as the version date of a Robust Link (https://robustlinks.mementoweb.org/spec/).
Day = Annotated[str, AfterValidator(_check_day)]

# SPDX specification 2.3, annex D: identifiers of ALPHA / DIGIT / "-" / ".", "+" for "or later", joined by operators.
Licence = Annotated[str, Field(pattern=r"^[A-Za-z0-9.+() -]+$")]
# ISO 4217: the three letters of a currency. Amounts stand in its minor unit, as whole numbers that every reader of JSON holds
# exactly (RFC 8785 section 3.2.2.3: below 2^53).
Amount = Annotated[int, Field(strict=True, ge=0, le=10**15)]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]


# In which way a generation shows an item; a closed set. `shared.matching.copy_detection.match_classification` tells it.
MatchKind = Literal["whole", "transformed", "part", "recoloured", "unspecified"]
# How the two pictures lie on each other was not measured, or does not tell.
UNSPECIFIED: MatchKind = "unspecified"
MEANINGS: Mapping[MatchKind, str] = {
    "whole": "the whole picture as it is, at most blurred, grained, recompressed, or lighter or darker",
    "transformed": "the picture mirrored, turned, cropped or scaled",
    "part": "a part of the picture: something else covers or replaces the rest, or less than half of it is shown",
    "recoloured": "the same drawing in other colours",
    "unspecified": "what was measured does not tell",
}

# The basis of presuming an owner whom the image's own metadata names.
EMBEDDED_BASIS = "embedded metadata"


class Part(StrictModel):
    """Base of every part of a body: no value is converted."""

    model_config = ConfigDict(strict=True)


class EntryBody(Part):
    """Base of every body; `entry_type` names the type it belongs to.

    The log shows the fields named in `clear`. To every other field it only commits (`openings`).

    Raises:
        InputError: a field is missing, unknown or out of range.
    """

    entry_type: ClassVar[str]
    clear: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, **fields: Any) -> None:
        try:
            super().__init__(**fields)
        except ValidationError as error:
            raise InputError(f"entry: {describe_field_errors(error, 'body')}") from error

    @classmethod
    @cache
    def hidden(cls) -> tuple[str, ...]:
        """Return the names of the fields that the log only commits to."""
        return tuple(name for name in cls.model_fields if name not in cls.clear)

    @classmethod
    @cache
    def clear_model(cls) -> type[Part]:
        """Return the model of what the log shows of such a body."""
        fields: dict[str, Any] = {
            name: (field.annotation, field) for name, field in cls.model_fields.items() if name in cls.clear
        }
        return create_model(f"Clear{cls.__name__}", __base__=Part, **fields)
