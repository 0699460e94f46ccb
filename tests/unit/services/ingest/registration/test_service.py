"""Registration: item, owners, commitments and entry together; the same again is nothing new, other things are conflicts."""

import json
from contextlib import suppress

import pytest
from sqlalchemy import update
from sqlmodel import select

from services.ingest.items.answers import build_item_answer
from services.ingest.registration.service import prepare_item, record_item
from shared.errors import ConflictError, InputError
from shared.ledger.commitments import verify_commitment
from shared.ledger.verify import verify_receipt
from shared.records.committed_entries import Commitment
from shared.records.items import Blob, Diligence, Item, count_items
from shared.workspace import Workspace
from tests.support.factories import encode, picture, png, register, registration
from tests.support.log_entries import open_entry


def test_an_item_is_recorded_logged_and_proved(any_workspace: Workspace) -> None:
    item = register(any_workspace, "one.png", png(1))
    verified = verify_receipt(any_workspace.log.receipt(item.entry_id), any_workspace.log.vkey)
    assert verified.entry.subject == {"item": item.id, "sha256": item.blob_sha256}
    assert verified.entry.body == {}
    assert open_entry(any_workspace, item.entry_id).body["licence"] == "CC-BY-4.0"
    with any_workspace.reading() as session:
        answer = build_item_answer(session, item)
        assert session.exec(select(Diligence)).one().result == "creator named"
    assert answer.acquirer == "Ada Acquirer"
    assert answer.owners[0].name == "Olga Owner"
    assert answer.archival_link is not None
    assert answer.archival_link["state"] == "unchecked"
    assert not answer.contested


def test_a_record_says_that_its_file_has_several_frames(any_workspace: Workspace) -> None:
    animated = encode(picture(1), "GIF", save_all=True, append_images=[picture(2)])
    items = [register(any_workspace, "a.gif", animated), register(any_workspace, "b.gif", encode(picture(1), "GIF"))]
    assert [open_entry(any_workspace, item.entry_id).body["frames"] for item in items] == [2, None]
    # The log itself does not tell which of them has several.
    entries = [json.loads(any_workspace.log.entry(index)) for index in range(2)]
    assert all("body.frames" in entry["commitments"] and entry["body"] == {} for entry in entries)
    with any_workspace.reading() as session:
        assert [build_item_answer(session, item).frames for item in items] == [2, None]


def test_frames_are_added_to_bytes_that_were_registered_before_they_were_counted(any_workspace: Workspace) -> None:
    animated = encode(picture(1), "GIF", save_all=True, append_images=[picture(2)])
    item = register(any_workspace, "a.gif", animated)
    with any_workspace.writing() as session:
        session.execute(update(Blob).values(frames=None))
    register(any_workspace, "b.gif", animated)
    with any_workspace.reading() as session:
        assert build_item_answer(session, item).frames == 2


def test_names_are_in_the_log_as_commitments_only(workspace: Workspace) -> None:
    item = register(workspace, "one.png", png(1))
    entry = workspace.log.entry(0)
    assert b"Olga" not in entry
    assert b"Ada" not in entry
    commitments = json.loads(entry)["commitments"]
    with workspace.reading() as session:
        opened = {row.field: row for row in session.exec(select(Commitment).where(Commitment.entry_id == item.entry_id))}
    names = {name for name in commitments if name != "by" and not name.startswith("body.")}
    assert set(opened) == names == {"acquirer.name", "owners.0.name", "diligence.0.query"}
    for field, row in opened.items():
        verify_commitment(row.value, row.salt, commitments[field])


def test_the_same_registration_again_adds_nothing(workspace: Workspace) -> None:
    first = register(workspace, "one.png", png(1))
    size = workspace.log.size
    again = prepare_item(registration("one.png"), png(1), workspace.blobs, workspace.limits)
    with workspace.writing() as session:
        result = record_item(session, again)
    assert (result.created, result.item_id) == (False, first.id)
    assert workspace.log.integrate().size == size


@pytest.mark.parametrize(
    ("changed", "seed", "code"),
    [
        ({}, 2, "item_bytes_differ"),
        ({"title": "Another"}, 1, "item_record_differs"),
        ({"licence": "MIT"}, 1, "item_record_differs"),
    ],
)
def test_another_record_under_a_known_key_is_a_conflict(
    workspace: Workspace, changed: dict[str, str], seed: int, code: str
) -> None:
    register(workspace, "one.png", png(1))
    with pytest.raises(ConflictError) as caught:
        register(workspace, "one.png", png(seed), **changed)
    assert caught.value.code == code
    with workspace.reading() as session:
        assert count_items(session) == 1
    assert workspace.log.integrate().size == 1


def test_two_items_sharing_a_blob_with_other_owners_are_contested(workspace: Workspace) -> None:
    first = register(workspace, "one.png", png(1))
    owners = [{"name": "Otto Other", "basis": "claim", "confidence": 0.5}]
    register(workspace, "copy.png", png(1), owners=owners)
    with workspace.reading() as session:
        assert build_item_answer(session, session.get_one(Item, first.id)).contested


@pytest.mark.parametrize(("licence", "code"), [("All rights reserved", "licence_not_spdx"), ("CC-BY-99", "licence_not_spdx")])
def test_a_licence_must_be_spdx(workspace: Workspace, licence: str, code: str) -> None:
    with pytest.raises(InputError) as caught:
        register(workspace, "one.png", png(1), licence=licence)
    assert caught.value.code == code


def test_what_fails_leaves_no_trace(workspace: Workspace) -> None:
    prepared = prepare_item(registration("one.png"), png(1), workspace.blobs, workspace.limits)
    with suppress(RuntimeError), workspace.writing() as session:
        record_item(session, prepared)
        raise RuntimeError("the process fails before the commit")
    with workspace.reading() as session:
        assert count_items(session) == 0
    assert workspace.log.integrate().size == 0
