"""What every request and every sealed value is made of: one strict base, text and names, one way to describe an error."""

import re
from collections.abc import Sequence
from typing import Annotated, Any, Protocol

from pydantic import BaseModel, ConfigDict, StringConstraints, model_validator

from shared.errors import InputError

# PostgreSQL has no text with a zero character (manual, section 8.3).
WITHOUT_NUL = r"^[^\x00]*$"
# Of manifests and models, whose folders are called by it: one path segment on every file system, never hidden, never "..".
NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,98}[a-z0-9])?")
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000, pattern=WITHOUT_NUL)]


# Of an error: so many fields are named, each with so much of its place. Who sends more mistakes has the first to mend.
MAX_ERRORS = 20
MAX_LOCATION = 100
MAX_MESSAGE = 300
# A value with so many fields too many is refused by their number: an error for each would take kilobytes of memory.
MAX_UNKNOWN_FIELDS = 100


class StrictModel(BaseModel):
    """A value that takes no unknown field, no NaN and no change after it was made."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _has_few_fields(cls, value: Any) -> Any:
        if isinstance(value, dict) and len(value) > len(cls.model_fields) + MAX_UNKNOWN_FIELDS:
            raise ValueError(f"expected at most {len(cls.model_fields)} fields, got {len(value):,}")
        return value


def check_name(name: str) -> str:
    """Return the name of a manifest or a model, if it may be given.

    Raises:
        InputError: it has other characters than a–z, 0–9, dot, dash and underscore, or is too long.

    >>> check_name("faces-8")
    'faces-8'
    """
    if NAME.fullmatch(name) is None:
        raise InputError(
            f"expected a name of a–z, 0–9, '.', '-', '_', at most 100 characters, got {name!r}", code="name_invalid"
        )
    return name


class FieldErrors(Protocol):
    """An error of pydantic or of FastAPI: which fields are off, and how."""

    def errors(self) -> Sequence[Any]:
        """Return for each field its location and its message."""
        ...


def describe_field_errors(error: FieldErrors, whole: str = "body") -> str:
    """Describe in one line which fields are off, without repeating their values, which may be personal.

    The line is of a bounded length, whatever was sent.

    Args:
        error: of a validation.
        whole: what the value as a whole is called.

    >>> from pydantic import ValidationError
    >>> class Request(StrictModel):
    ...     limit: int
    >>> try:
    ...     Request.model_validate({"limit": "many", "page": 2})
    ... except ValidationError as error:
    ...     describe_field_errors(error)
    'limit: Input should be a valid integer, unable to parse string as an integer; page: Extra inputs are not permitted'
    """
    errors = error.errors()
    described = [_describe_field(field, whole) for field in errors[:MAX_ERRORS]]
    if len(errors) > MAX_ERRORS:
        described.append(f"and {len(errors) - MAX_ERRORS:,} more")
    return "; ".join(described)


def _describe_field(field: Any, whole: str) -> str:
    location = ".".join(str(part)[:MAX_LOCATION] for part in field["loc"])[:MAX_LOCATION] or whole
    return f"{location}: {field['msg'].removeprefix('Value error, ')[:MAX_MESSAGE]}"
