"""What a step with a flag may say."""

from typing import Any

import pytest
from pydantic import ValidationError

from services.output_gate.flags.schemas import FlagStepRequest


@pytest.mark.parametrize(
    "fields",
    [
        {"step": "hold"},
        {"step": "assess", "reason": "letter"},
        {"step": "assess", "reason": "letter", "currency": "EUR"},
        {"step": "notify", "currency": "EUR", "amount_minor": 1},
        {"step": "confirm"},
        {"step": "notify", "note": "a\x00b"},
    ],
)
def test_what_a_step_lacks_or_must_not_have(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        FlagStepRequest.model_validate({"role": "compliance"} | fields)


def test_an_assessment_has_both_currency_and_amount() -> None:
    fields = {"step": "assess", "role": "finance", "reason": "letter", "currency": "EUR", "amount_minor": 0}
    assert FlagStepRequest.model_validate(fields).amount_minor == 0
