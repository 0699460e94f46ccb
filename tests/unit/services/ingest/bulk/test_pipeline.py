"""Batches: one transaction for many rows, with the same result as one row at a time."""

from pathlib import Path

import pytest
from sqlmodel import select

from services.ingest.bulk import pipeline as bulk
from services.ingest.bulk.pipeline import RowOutcome, register_rows
from services.ingest.bulk.rows import BadRow, Row
from services.ingest.registration.preparation import check_item
from services.ingest.registration.service import RegistrationOutcome, record_item, record_items
from shared.errors import ConflictError, InputError, SleeveError
from shared.ledger.verify import verify_log
from shared.records.item_owners import is_contested
from shared.records.items import Blob, Item, count_items, count_shared_blobs
from shared.records.parties import Party
from shared.workspace import Workspace
from tests.support.factories import png, registration


def row(key: str, seed: int, **changed: object) -> Row:
    return Row(key, registration(key, **changed), png(seed))


def owners(*names: str) -> list[dict[str, object]]:
    return [{"name": name, "basis": "dataset metadata", "confidence": 0.5} for name in names]


def test_the_same_bytes_under_two_keys_are_two_items_sharing_a_blob(any_workspace: Workspace) -> None:
    rows = [row("a.png", 1), row("b.png", 1, owners=owners("Otto")), row("c.png", 2), row("d.png", 2)]
    assert register_rows(any_workspace, rows).created == 4
    with any_workspace.reading() as session:
        assert count_items(session) == 4
        assert len(session.exec(select(Blob)).all()) == 2
        assert count_shared_blobs(session, "works") == 2
        assert count_shared_blobs(session, "others") == 0
        contested = {item.source_key: is_contested(session, item.blob_sha256) for item in session.exec(select(Item))}
    assert contested == {"a.png": True, "b.png": True, "c.png": False, "d.png": False}


def test_a_key_met_twice_in_a_batch_is_known_or_a_conflict(any_workspace: Workspace) -> None:
    rows = [row("a.png", 1), row("a.png", 1), row("a.png", 2), row("a.png", 1, title="Another"), row("b.png", 3)]
    result = register_rows(any_workspace, rows)
    assert (result.created, result.known) == (2, 1)
    assert [bad.error.code for bad in result.bad] == ["item_bytes_differ", "item_record_differs"]
    assert any_workspace.log.size == 2


def test_outcomes_come_in_the_order_of_the_rows_whatever_the_batches(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "BATCH_ROWS", 3)
    bad = BadRow("bad.png", InputError("words", code="row_invalid"))
    rows = [row(f"{n}.png", n) if n % 4 else bad for n in range(10)]
    seen: list[RowOutcome] = []
    counts: list[int] = []
    result = register_rows(workspace, rows, counts.append, seen.extend)
    assert [outcome.key for outcome in seen] == [one.key for one in rows]
    assert [outcome.state for outcome in seen] == ["registered" if n % 4 else "refused" for n in range(10)]
    assert (result.created, len(result.bad), counts) == (7, 3, [3, 3, 3, 1])
    assert verify_log(workspace.log.folder, workspace.log.vkey).size == 7


def test_large_images_make_small_batches(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "BATCH_BYTES", len(png(1)) + 1)
    counts: list[int] = []
    register_rows(workspace, [row(f"{n}.png", n) for n in range(5)], counts.append)
    assert counts == [2, 2, 1]


def test_a_record_too_long_for_the_log_is_refused_alone(workspace: Workspace) -> None:
    long = [{"name": f"Owner {n}", "basis": "x" * 2000, "confidence": 0.5} for n in range(60)]
    rows = [row("a.png", 1), row("long.png", 2, owners=long), row("b.png", 3)]
    result = register_rows(workspace, rows)
    assert result.created == 2
    assert [(bad.key, bad.error.code) for bad in result.bad] == [("long.png", "entry_too_long")]
    with workspace.reading() as session:
        assert {item.source_key for item in session.exec(select(Item))} == {"a.png", "b.png"}


def test_parties_are_told_apart_by_name_and_address(workspace: Workspace) -> None:
    named = [
        {**owner, "url": url} for owner in owners("Ann") for url in (None, "https://example.org/a", "https://example.org/b")
    ]
    rows = [row(f"{n}.png", n, owners=[named[n % 3]]) for n in range(9)]
    assert register_rows(workspace, rows).created == 9
    with workspace.reading() as session:
        found = sorted((party.name, party.url) for party in session.exec(select(Party)))
    assert found == [("Ada Acquirer", ""), ("Ann", ""), ("Ann", "https://example.org/a"), ("Ann", "https://example.org/b")]


def test_one_at_a_time_and_together_give_the_same_records(any_workspace: Workspace) -> None:
    rows = [row(f"{n}.png", n // 2) for n in range(6)]
    checked = [check_item(one.registration, one.data, any_workspace.limits) for one in rows]
    for one in rows:
        any_workspace.blobs.save(one.data)
    with any_workspace.writing() as session:
        alone = [record_item(session, one).item_id for one in checked[:3]]
    with any_workspace.writing() as session:
        together = record_items(session, checked)
    assert [one.item_id for one in together[:3] if isinstance(one, RegistrationOutcome)] == alone
    assert [one.created for one in together if isinstance(one, RegistrationOutcome)] == [False] * 3 + [True] * 3
    with any_workspace.reading() as session:
        assert len({item.record_sha256 for item in session.exec(select(Item))}) == 6


def test_a_conflict_met_alone_is_raised(workspace: Workspace) -> None:
    register_rows(workspace, [row("a.png", 1)])
    changed = check_item(registration("a.png"), png(2), workspace.limits)
    with pytest.raises(ConflictError), workspace.writing() as session:
        record_item(session, changed)


def test_an_error_of_the_source_ends_the_run_after_what_was_stored(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(bulk, "BATCH_ROWS", 2)

    def rows():  # type: ignore[no-untyped-def]
        yield from (row(f"{n}.png", n) for n in range(4))
        raise InputError("the source ends here", code="source_damaged")

    with pytest.raises(SleeveError, match="ends here"):
        register_rows(workspace, rows())
    with workspace.reading() as session:
        assert count_items(session) in {2, 4}
