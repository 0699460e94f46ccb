"""The status and the problem details (RFC 9457) of each error. Nothing here needs a web framework."""

from typing import Any

from pydantic import BaseModel, Field

from shared.errors import (
    ConflictError,
    CorruptStateError,
    ForbiddenError,
    InputError,
    NotFoundError,
    PreconditionError,
    SleeveError,
    UnavailableError,
    VerificationError,
)

# RFC 9110 §15 status codes; a class stands before those that it is one of.
STATUS = {
    InputError: 422,
    ForbiddenError: 403,
    NotFoundError: 404,
    PreconditionError: 412,
    ConflictError: 409,
    VerificationError: 422,
    UnavailableError: 503,
    CorruptStateError: 500,
}
MEDIA_TYPE = "application/problem+json"


class Problem(BaseModel):
    """The body of every error answer."""

    type: str = "about:blank"
    title: str
    status: int
    code: str
    detail: str
    request_id: str | None = Field(
        default=None,
        exclude_if=lambda request_id: request_id is None,
        description="As `X-Request-ID` and the server's log name the request.",
    )


def describe_error(error: SleeveError) -> dict[str, Any]:
    """Return the problem that an error is, to be kept, or to stand in an answer about several things."""
    title = error.code.replace("_", " ").capitalize()
    return Problem(title=title, status=status_of(error), code=error.code, detail=error.message).model_dump()


def status_of(error: SleeveError) -> int:
    """Return the HTTP status of an error."""
    return next((status for kind, status in STATUS.items() if isinstance(error, kind)), 500)
