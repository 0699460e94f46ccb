"""Rights signals in the record: seen at registration, logged each by itself, and kept out of manifests where they deny."""

import pytest

from services.audit.slices import draw_slice
from services.ingest.registration.answers import build_item_answer
from services.ingest.registration.service import prepare_item, record_item
from services.ingest.signals.signal import Signal
from shared.errors import InputError
from shared.ledger.entries import parse_entry
from shared.records.items import Item, load_dataset_items, load_entry_ids
from shared.records.manifests import seal_manifest
from shared.workspace import Workspace
from tests.factories import encode, picture, register, registration
from tests.unit.ingest.signals.xmp_pictures import data_mining


def stating(value: str, seed: int) -> bytes:
    return encode(picture(seed), "JPEG", xmp=data_mining(value))


def test_a_signal_is_recorded_logged_and_shown(any_workspace: Workspace) -> None:
    item = register(any_workspace, "no.jpg", stating("DMI-PROHIBITED-GENAIMLTRAINING", 1))
    with any_workspace.reading() as session:
        answer = build_item_answer(session, item)
        entry_ids = load_entry_ids(session, item)
    assert answer.rights_verdict == "deny"
    assert [(signal.kind, signal.verdict) for signal in answer.signals] == [("xmp-plus-data-mining", "deny")]
    entries = [parse_entry(any_workspace.log.entry(any_workspace.log.index_of(entry_id))) for entry_id in entry_ids]
    assert [entry.type for entry in entries] == ["item.registered", "signal.observed"]
    assert entries[1].subject == {"item": item.id}
    assert entries[1].body["raw_sha256"] == answer.signals[0].raw_sha256


def test_a_denied_item_is_kept_out_of_manifests_unless_an_agreement_permits_it(workspace: Workspace) -> None:
    silent = register(workspace, "silent.jpg", encode(picture(1), "JPEG"))
    allowed = register(workspace, "allowed.jpg", stating("DMI-ALLOWED", 2))
    denied = register(workspace, "denied.jpg", stating("DMI-PROHIBITED", 3))
    permitted = register(workspace, "permitted.jpg", stating("DMI-PROHIBITED", 4), training_permission="contract 2026-17")
    assert [one.rights_verdict for one in (silent, allowed, denied, permitted)] == ["unknown", "allow", "deny", "deny"]
    with workspace.writing() as session:
        eligible = {item.id for item in load_dataset_items(session, "works")}
        assert eligible == {silent.id, allowed.id, permitted.id}
        drawn = draw_slice(session, "works", 3, seed=0)
        assert set(drawn.training) == eligible
        assert seal_manifest(session, "some", "train", list(eligible)).size == 3
        with pytest.raises(InputError) as caught:
            seal_manifest(session, "all", "train", [*eligible, denied.id])
    assert caught.value.code == "item_not_active"


def test_signals_of_the_source_count_as_well_as_those_in_the_image(workspace: Workspace) -> None:
    header = Signal("x-robots-tag", "deny", "ab" * 32, {"value": "noai"})
    prepared = prepare_item(
        registration("a.jpg"), stating("DMI-ALLOWED", 5), workspace.blobs, workspace.limits, source_signals=[header]
    )
    with workspace.writing() as session:
        item = record_item(session, prepared).item
    assert item.rights_verdict == "deny"
    with workspace.reading() as session:
        shown = build_item_answer(session, session.get_one(Item, item.id))
    assert [signal.kind for signal in shown.signals] == ["x-robots-tag", "xmp-plus-data-mining"]
