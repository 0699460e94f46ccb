"""The words of an audit: void first with advice that can be followed, and "copies" only where the threshold allows it."""

from typing import Any

from services.audit.audits.wording import choose_wording, usable_rules, void_lines


def check(rule: str, passed: bool | None, near_copies: int | None = None) -> dict[str, Any]:
    return {"rule": rule, "passed": passed, "figures": {} if near_copies is None else {"near_copies": near_copies}}


def content(state: str, near_copies: int = 0) -> dict[str, Any]:
    return {
        "state": state,
        "model": {"name": "model-1", "resolution_px": 32, "channels": 3},
        "control": {"name": "held-out-1", "size": 900},
        "controls": [
            {"name": "copycat", "checks": [check("ssim", True), check("fused", True), check("carlini", None)]},
            {"name": "held-out", "checks": [check("ssim", False, near_copies), check("fused", True, near_copies)]},
        ],
        "rules": [{"name": "ssim"}, {"name": "fused"}, {"name": "carlini"}],
    }


def test_a_low_threshold_is_named_in_the_sentence_that_avoids_the_word_copy() -> None:
    words = choose_wording(0.2864)
    assert words.count == "are closer to a training picture than the control allows (SSIM above 0.286)"
    assert not any("cop" in text for text in (words.count, words.items, words.control, words.heading.lower()))
    assert choose_wording(0.5).count == "are copies"


def test_void_comes_with_the_number_the_file_the_command_and_the_rules_that_stand() -> None:
    first, advice, usable = void_lines(content("failed", 744))
    assert first.startswith("model-1: void")
    assert "744 of 900" in advice
    assert "near-copies.csv" in advice
    assert "sleeve audit seal NAME --control CONTROL --distinct --resolution 32 --channels 3" in advice
    assert usable == "rules that passed every control: fused"


def test_an_audit_without_near_copies_gets_no_advice_on_them_and_a_sound_one_no_line() -> None:
    assert len(void_lines(content("failed"))) == 2
    assert void_lines(content("completed", 3)) == []
    # A rule that was never tried is not usable.
    assert usable_rules(content("failed")) == ["fused"]
