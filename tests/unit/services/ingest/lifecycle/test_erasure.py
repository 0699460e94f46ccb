"""Erasing a person: the name is gone from every table and file of the log, and every proof made before still holds."""

import pytest
from sqlmodel import select

from services.ingest.items.answers import build_item_answer
from services.ingest.lifecycle.erasure import erase_party
from services.ingest.registration.service import prepare_item, record_item
from shared.errors import ConflictError, NotFoundError
from shared.ledger.verify import verify_log, verify_receipt
from shared.records.committed_entries import Commitment
from shared.records.items import Diligence, Item
from shared.records.parties import Party
from shared.records.tables import ALL_TABLES
from shared.workspace import Workspace
from tests.support.factories import png, register, registration

NAME = "Olga Owner"


def test_the_name_is_gone_and_every_proof_holds(any_workspace: Workspace) -> None:
    items = [register(any_workspace, f"{number}.png", png(number)) for number in range(3)]
    receipts = [any_workspace.log.receipt(item.entry_id) for item in items]
    with any_workspace.writing() as session:
        [owner] = session.exec(select(Party).where(Party.name == NAME)).all()
        assert erase_party(session, owner.id, "a request") == 6
    any_workspace.log.integrate()
    with any_workspace.reading() as session:
        for table in ALL_TABLES:
            for row in session.exec(select(table)):
                assert NAME not in str(row.model_dump()), table
        assert {row.field for row in session.exec(select(Commitment))} == {"acquirer.name"}
        assert {row.query for row in session.exec(select(Diligence))} == {None}
        answer = build_item_answer(session, session.get_one(Item, items[0].id))
    assert (answer.owners[0].name, answer.owners[0].role, answer.acquirer) == ("(erased)", "creator", "Ada Acquirer")
    for path in any_workspace.log.folder.rglob("*"):
        assert path.is_dir() or NAME.encode() not in path.read_bytes()
    for receipt in receipts:
        verify_receipt(receipt, any_workspace.log.vkey)
    assert verify_log(any_workspace.log.folder, any_workspace.log.vkey).size == 4
    # The source that named the person is read again: its items are known, and the name does not come back.
    again = prepare_item(registration("0.png"), png(0), any_workspace.blobs, any_workspace.limits)
    with any_workspace.writing() as session:
        assert not record_item(session, again).created
        assert session.exec(select(Party).where(Party.name == NAME)).all() == []


def test_a_party_is_erased_once_and_several_can_be(workspace: Workspace) -> None:
    register(workspace, "0.png", png(0))
    with workspace.writing() as session:
        ids = [party.id for party in session.exec(select(Party))]
        for party_id in ids:
            erase_party(session, party_id, "a request")
        with pytest.raises(ConflictError):
            erase_party(session, ids[0], "again")
        with pytest.raises(NotFoundError):
            erase_party(session, "nobody", "a request")
