"""Patterns of paths: spelled alike, wildcards, ends."""

import pytest

from services.ingest.signals.path_patterns import is_match, normal_path, path_of


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("/art", "/art/1.png", True),
        ("/art$", "/art/1.png", False),
        ("/*.png$", "/art/1.png", True),
        ("/*.png$", "/art/1.png?size=2", False),
        ("/b%C3%BCcher", "/bücher", True),
        ("/Art", "/art", False),
    ],
)
def test_a_pattern_matches(pattern: str, path: str, *, expected: bool) -> None:
    assert is_match(pattern, path_of(f"https://example.org{path}")) is expected


def test_a_url_has_a_path_even_where_it_has_none() -> None:
    assert path_of("https://example.org") == "/"
    assert path_of("https://example.org/a?b=c") == "/a?b=c"


def test_spelling_is_normal_once() -> None:
    spelling = normal_path("/%7euser/ä b")
    assert normal_path(spelling) == spelling
