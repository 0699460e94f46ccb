"""What a policy may say, and what a flag owes by it."""

from typing import Any

import pytest

from services.output_gate.policy.policy import DEFAULT_POLICY, load_policy_file, parse_policy, parse_policy_toml
from shared.errors import InputError
from tests.support.memory_gate import POLICY, build_policy


def test_the_shipped_default_fits_and_its_digest_is_of_what_it_says() -> None:
    content = load_policy_file(DEFAULT_POLICY)
    assert parse_policy(content.recorded()).sha256 == content.sha256
    assert build_policy(waiver_reasons=None).sha256 != build_policy().sha256


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"rule": None}, "a rule or rules"),
        ({"rule": None, "rules": ["ssim", "ssim"]}, "each rule once"),
        ({"threshold": 0.5}, "one of the two"),
        ({"borderline": {"threshold": 0.5}}, "in the terms"),
        ({"borderline": {"false_positive_rate": 0.01}}, "above 0.02"),
        ({"tariff": {"currency": "EUR", "amount_minor": 1, "tiers": [{"amount_minor": 1}]}}, "p_value_at_most"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_what_does_not_fit_is_named(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        build_policy(**changed)
    assert caught.value.code == "policy_invalid"


def test_the_tier_that_names_the_kind_goes_first_then_the_smaller_bound() -> None:
    tiers = [
        {"p_value_at_most": 0.01, "amount_minor": 1},
        {"p_value_at_most": 0.001, "amount_minor": 2},
        {"kinds": ["part"], "amount_minor": 3},
    ]
    tariff = build_policy(tariff={"currency": "EUR", "amount_minor": 4, "tiers": tiers}).tariff
    assert tariff is not None
    assert (tariff.amount_for(0.5, "whole"), tariff.amount_for(0.005, "whole")) == (4, 1)
    assert (tariff.amount_for(0.001, "whole"), tariff.amount_for(0.001, "part")) == (2, 3)


def test_text_that_is_no_toml_is_unreadable() -> None:
    with pytest.raises(InputError) as caught:
        parse_policy_toml("name = ")
    assert caught.value.code == "policy_unreadable"
    assert POLICY["rule"] == "ssim"
