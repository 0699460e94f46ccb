"""Bytes that are registered already, named by their digest."""

import hashlib

from sqlmodel import select

from services.ingest.bulk.pipeline import register_rows
from services.ingest.bulk.rows import HeldRow, Row
from shared.records.items import Item, load_signals
from shared.workspace import Workspace
from tests.support.factories import png, registration
from tests.unit.services.ingest.signals.xmp_pictures import data_mining, with_xmp


def test_a_named_image_keeps_what_it_says_of_training(any_workspace: Workspace) -> None:
    data = with_xmp(data_mining("DMI-PROHIBITED"))
    digest = hashlib.sha256(data).hexdigest()
    rows: list[Row | HeldRow] = [
        Row("a", registration("a"), data),
        HeldRow("b", registration("b"), digest),
    ]
    assert register_rows(any_workspace, rows).created == 2
    assert register_rows(any_workspace, [HeldRow("c", registration("c"), digest)]).created == 1
    with any_workspace.reading() as session:
        items = list(session.exec(select(Item)))
        assert [item.rights_verdict for item in items] == ["deny"] * 3
        assert {len(load_signals(session, item.id)) for item in items} == {1}


def test_bytes_that_are_damaged_are_not_registered_again(workspace: Workspace) -> None:
    digest = hashlib.sha256(png(1)).hexdigest()
    assert register_rows(workspace, [Row("a", registration("a"), png(1))]).created == 1
    workspace.blobs.path(digest).write_bytes(b"something else")
    result = register_rows(workspace, [HeldRow("b", registration("b"), digest), Row("c", registration("c"), png(2))])
    assert (result.created, [bad.error.code for bad in result.bad]) == (1, ["blob_damaged"])
