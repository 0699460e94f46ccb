"""The strict base of requests and sealed values, text without zero characters, names, and one way to describe an error."""

from typing import Any

import pytest
from pydantic import ValidationError

from shared.errors import InputError
from shared.schemas import StrictModel, Text, check_name, describe_field_errors


class Inner(StrictModel):
    share: float


class Request(StrictModel):
    title: Text
    parts: tuple[Inner, ...] = ()


def describe(value: Any, whole: str = "body") -> str:
    with pytest.raises(ValidationError) as caught:
        Request.model_validate(value)
    return describe_field_errors(caught.value, whole)


def test_a_strict_model_takes_no_unknown_field_no_nan_and_no_change() -> None:
    assert describe({"title": "a", "extra": 1}) == "extra: Extra inputs are not permitted"
    assert describe({"title": "a", "parts": [{"share": float("nan")}]}) == "parts.0.share: Input should be a finite number"
    request = Request(title="a")
    with pytest.raises(ValidationError, match="frozen"):
        request.title = "b"  # type: ignore[misc]


def test_text_is_stripped_and_bounded_and_holds_no_zero_character() -> None:
    assert Request(title="  a b ").title == "a b"
    assert Request(title="x" * 2000).title == "x" * 2000
    for refused in ("", "   ", "x" * 2001, "a\0b", "\0"):
        assert describe({"title": refused}).startswith("title: ")


def test_errors_name_every_field_and_repeat_no_value() -> None:
    described = describe({"title": 5, "parts": [{"share": "Ada Lovelace"}]})
    assert described.startswith("title: Input should be a valid string; parts.0.share: Input should be a valid number")
    assert "Ada" not in described
    assert describe("Ada", whole="entry").startswith("entry: Input should be a valid dictionary")
    assert "Ada" not in describe("Ada")


@pytest.mark.parametrize("name", ["a", "0", "faces-8", "a.b_c-d", "a" * 100])
def test_a_name_is_one_path_segment(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", ".", "..", ".hidden", "a/b", "A", "ä", "a ", "a-", "-a", "a\n", "a" * 101])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(InputError) as caught:
        check_name(name)
    assert caught.value.code == "name_invalid"
