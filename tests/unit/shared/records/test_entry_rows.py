"""A row and its log entry: both are there, or neither."""

from datetime import UTC, datetime

import pytest
from sqlalchemy.exc import IntegrityError
from sqlmodel import func, select

from shared.errors import InputError
from shared.ledger.entries import Entry, parse_entry
from shared.ledger.tables import LogEntry
from shared.records.api_keys import ApiKey, load_key
from shared.records.entry_rows import append_and_add, append_entry
from shared.workspace import Workspace

EXPIRY = datetime(2030, 1, 1, tzinfo=UTC)


def entry(text: str = "x") -> Entry:
    return Entry(type="test.made", at="2026-01-31T12:00:00.000Z", subject={}, body={"text": text})


def key(entry_id: int, key_id: str = "k1") -> ApiKey:
    return ApiKey(id=key_id, sha256="0" * 64, name="tests", scopes=[], expires_at=EXPIRY, entry_id=entry_id)


def count_entries(workspace: Workspace) -> int:
    with workspace.reading() as session:
        return session.exec(select(func.count()).select_from(LogEntry)).one()


def test_a_row_names_the_entry_that_says_it(any_workspace: Workspace) -> None:
    with any_workspace.writing() as session:
        append_entry(session, entry("before"))
        row = append_and_add(session, entry("of the row"), key)
    any_workspace.log.integrate()
    with any_workspace.reading() as session:
        assert load_key(session, "k1").entry_id == row.entry_id
    index = any_workspace.log.index_of(row.entry_id)
    assert parse_entry(any_workspace.log.entry(index)).body == {"text": "of the row"}


def test_what_the_database_refuses_is_raised_at_once_and_takes_the_entry_along(any_workspace: Workspace) -> None:
    with any_workspace.writing() as session:
        append_and_add(session, entry(), key)
    with any_workspace.writing() as session, pytest.raises(IntegrityError):
        append_and_add(session, entry(), key)
    assert count_entries(any_workspace) == 1


def test_an_entry_that_is_too_long_leaves_no_row(workspace: Workspace) -> None:
    with pytest.raises(InputError, match="expected at most 65535 bytes"), workspace.writing() as session:
        append_and_add(session, entry("x" * 65_535), key)
    assert count_entries(workspace) == 0
    with workspace.reading() as session:
        assert session.get(ApiKey, "k1") is None
