"""Scopes of a key: what is included, what is unknown, and what needs a party."""

from shared.auth.scopes import INCLUDED, MEANING, OF_A_PARTY, SCOPES, with_included


def test_who_may_write_a_thing_may_read_it() -> None:
    for scope in SCOPES:
        subject, verb = scope.split(":")
        if verb == "write" and f"{subject}:read" in SCOPES:
            assert f"{subject}:read" in with_included([scope])


def test_included_scopes_exist_and_include_no_others() -> None:
    for scope, included in INCLUDED.items():
        assert scope in SCOPES
        assert set(included) <= set(SCOPES)
        # One step is enough: what a key holds is `given | included`, with nothing behind it.
        assert not set(included) & set(INCLUDED)
    assert set(MEANING) == set(SCOPES)
    assert set(SCOPES) >= OF_A_PARTY


def test_an_unknown_scope_gives_less_not_more() -> None:
    assert with_included(["items:all", "items:read", ""]) == {"items:read"}
    assert with_included([]) == frozenset()
