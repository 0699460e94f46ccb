"""The one error tree of Sleeve.

Rules, in order:

1. Every error a caller can cause or meet is a `SleeveError`; anything else is a defect.
2. The class says what kind it is, and so the HTTP status (`shared.http.problem_details`); `code` is stable and
   machine-readable.
3. The message is one sentence for a person and says what was expected and what was got.
"""


class SleeveError(Exception):
    """Base of every expected failure.

    Args:
        message: one sentence, with expected and got.
        code: stable identifier; the class's own where it is not given.
    """

    code = "sleeve_error"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code


class InputError(SleeveError):
    """What the caller sent cannot be accepted."""

    code = "invalid_input"


class NotFoundError(SleeveError):
    """The thing named does not exist."""

    code = "not_found"


class ConflictError(SleeveError):
    """The request contradicts what is already recorded."""

    code = "conflict"


class PreconditionError(ConflictError):
    """What the request was made for is no longer as the requester saw it."""

    code = "precondition_failed"


class VerificationError(SleeveError):
    """A signature, proof or digest does not hold."""

    code = "verification_failed"


class UnavailableError(SleeveError):
    """A dependency is down, busy or behind; the same request may succeed later."""

    code = "unavailable"


class CorruptStateError(SleeveError):
    """Stored data contradicts itself: a defect or damage, never the caller's fault."""

    code = "corrupt_state"


class ForbiddenError(SleeveError):
    """The caller is known and may not do this."""

    code = "forbidden"
