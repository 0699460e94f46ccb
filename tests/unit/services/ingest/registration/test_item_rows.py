"""New items with their entries: a record that no entry holds is refused, and holds up no other."""

from services.ingest.registration.item_rows import add_items
from services.ingest.registration.service import prepare_item
from shared.errors import InputError
from shared.records.items import KnownItem, count_items
from shared.workspace import Workspace
from tests.support.factories import png, registration


def test_a_record_too_long_for_an_entry_holds_up_no_other(workspace: Workspace) -> None:
    owner = {"name": "Olga Owner", "basis": "b" * 2000, "confidence": 0.5}
    records = [registration("good.png"), registration("long.png", owners=[owner] * 100)]
    prepared = [prepare_item(record, png(1), workspace.blobs, workspace.limits) for record in records]
    with workspace.writing() as session:
        results = add_items(session, prepared)
    good, refused = results["works", "good.png"], results["works", "long.png"]
    assert isinstance(good, KnownItem)
    assert isinstance(refused, InputError)
    with workspace.reading() as session:
        assert count_items(session) == 1
    assert workspace.log.integrate().size == 1
