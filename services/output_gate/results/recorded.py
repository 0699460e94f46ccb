"""Results as checks record them: read once, into their model."""

from pydantic import ValidationError

from services.output_gate.results.schemas import RecordedResult
from shared.errors import CorruptStateError
from shared.records.checks import Check
from shared.schemas import describe_field_errors


def read_result(check: Check) -> RecordedResult:
    """Return what a check on record came to.

    Raises:
        CorruptStateError: what is on record is no result.
    """
    try:
        return RecordedResult.model_validate(check.result)
    except ValidationError as error:
        raise CorruptStateError(f"check {check.id} on record: {describe_field_errors(error)}", code="check_damaged") from error
