"""Keys as text: 256 random bits behind a public id, refused when cut or changed, and not shown by accident."""

import re

from hypothesis import given
from hypothesis import strategies as st

from shared.auth.key_text import PATTERN, new_key_text, parse_key_text


def test_keys_are_unlike_and_of_the_published_form() -> None:
    made = [new_key_text() for _ in range(50)]
    assert len({key.text for key in made}) == len({key.id for key in made}) == 50
    for key in made:
        assert re.fullmatch(PATTERN, key.text)
        assert parse_key_text(key.text) == key
        assert key.is_of(key.sha256)
        assert not key.is_of(made[0].sha256) or key is made[0]


def test_printing_a_key_does_not_show_it() -> None:
    key = new_key_text()
    assert key.text not in f"{key!r} {key}"
    assert key.text.rpartition("_")[2] not in repr(key)


@given(st.integers(0, 88), st.characters(codec="ascii"))
def test_a_changed_key_is_none(at: int, character: str) -> None:
    text = new_key_text().text
    changed = text[:at] + character + text[at + 1 :]
    assert changed == text or parse_key_text(changed) is None


@given(st.text(max_size=100))
def test_any_other_text_is_none(text: str) -> None:
    assert parse_key_text(text) is None
    assert parse_key_text(new_key_text().text + text[:1]) is None or not text
