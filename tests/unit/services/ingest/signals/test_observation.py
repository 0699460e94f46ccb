"""Rights signals in the record: seen at registration, logged each by itself, and kept out of manifests where they deny."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlmodel import select

from services.audit.training_sets.slices import draw_slice
from services.ingest.bulk.pipeline import register_rows
from services.ingest.bulk.rows import HeldRow, Row
from services.ingest.items.answers import build_item_answer
from services.ingest.registration.service import prepare_item, record_item
from services.ingest.signals.signal import Signal
from shared.canonical import sha256_hex
from shared.errors import InputError
from shared.records.items import Item, SignalRecord, load_dataset_items, load_entry_ids, load_item
from shared.records.manifests import seal_manifest
from shared.settings import Settings
from shared.workspace import Workspace, open_workspace
from tests.support.factories import encode, picture, png, register, registration
from tests.support.log_entries import open_entries, open_entry
from tests.unit.services.ingest.signals.signing import chain, sign, training_mining
from tests.unit.services.ingest.signals.xmp_pictures import data_mining, png_block, with_xmp


def stating(value: str, seed: int) -> bytes:
    return encode(picture(seed), "JPEG", xmp=data_mining(value))


def test_a_signal_is_recorded_logged_and_shown(any_workspace: Workspace) -> None:
    item = register(any_workspace, "no.jpg", stating("DMI-PROHIBITED-GENAIMLTRAINING", 1))
    with any_workspace.reading() as session:
        answer = build_item_answer(session, item)
        entry_ids = load_entry_ids(session, item)
    assert answer.rights_verdict == "deny"
    assert [(signal.kind, signal.verdict) for signal in answer.signals] == [("xmp-plus-data-mining", "deny")]
    entries = open_entries(any_workspace, entry_ids)
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
        item = load_item(session, record_item(session, prepared).item_id)
    assert item.rights_verdict == "deny"
    with workspace.reading() as session:
        shown = build_item_answer(session, session.get_one(Item, item.id))
    assert [signal.kind for signal in shown.signals] == ["x-robots-tag", "xmp-plus-data-mining"]


def signed(use: str, xmp_term: str | None = None, by: str = "Test") -> bytes:
    """A PNG whose manifest states a use for generative training, over one whose XMP states a term."""
    carrier = None if xmp_term is None else with_xmp(data_mining(xmp_term))
    return sign(training_mining({"ai_generative_training": use}), data=carrier, by=by)


@pytest.mark.parametrize(
    ("manifest", "term", "verdict"),
    [
        ("allowed", "DMI-ALLOWED", "allow"),
        ("allowed", "DMI-PROHIBITED-AIMLTRAINING", "deny"),
        ("notAllowed", "DMI-ALLOWED", "deny"),
        ("constrained", "DMI-ALLOWED", "deny"),
        ("allowed", "DMI-UNSPECIFIED", "unknown"),
        ("sometimes", "DMI-ALLOWED", "unknown"),
    ],
)
def test_of_two_statements_in_one_file_the_more_restrictive_is_the_verdict(
    workspace: Workspace, manifest: str, term: str, verdict: str
) -> None:
    item = register(workspace, "a.png", signed(manifest, term))
    assert item.rights_verdict == verdict
    with workspace.reading() as session:
        kinds = set(session.exec(select(SignalRecord.kind)))
        eligible = [one.id for one in load_dataset_items(session, "works")]
    assert kinds == {"c2pa-training-mining", "xmp-plus-data-mining"}
    assert eligible == ([] if verdict == "deny" else [item.id])


def test_a_manifest_that_does_not_validate_takes_an_allowance_away_and_cannot_deny(workspace: Workspace) -> None:
    whole = signed("notAllowed", "DMI-ALLOWED")
    # Signature, and a length, a name, 13 bytes and a checksum for the header: what follows is bound by the manifest.
    edited = whole[:33] + png_block(b"tEXt", b"Comment\x00edited") + whole[33:]
    item = register(workspace, "a.png", edited)
    with workspace.reading() as session:
        found = {one.kind: one for one in session.exec(select(SignalRecord))}
    assert {kind: one.verdict for kind, one in found.items()} == {
        "c2pa-training-mining": "unknown",
        "xmp-plus-data-mining": "allow",
    }
    assert "does not validate" in found["c2pa-training-mining"].detail["error"]
    assert item.rights_verdict == "unknown"


def test_a_denied_item_may_train_once_an_agreement_is_on_record(workspace: Workspace) -> None:
    denied = register(workspace, "a.png", signed("notAllowed"))
    permitted = register(workspace, "b.png", signed("notAllowed", "DMI-PROHIBITED"), training_permission="licence 2026-4")
    with workspace.reading() as session:
        assert [one.id for one in load_dataset_items(session, "works")] == [permitted.id]
        answer = build_item_answer(session, permitted)
    # The agreement overrules; it does not erase what was seen.
    assert (answer.rights_verdict, answer.training_permission) == ("deny", "licence 2026-4")
    assert denied.state == "active"
    entry = open_entry(workspace, permitted.entry_id)
    assert entry.body["training_permission"] == "licence 2026-4"


@pytest.fixture
def trusting(tmp_path: Path) -> Iterator[Workspace]:
    """A workspace that trusts one certificate authority."""
    anchors = tmp_path / "anchors.pem"
    anchors.write_text(chain("Trusted").root_pem, encoding="ascii")
    opened = open_workspace(Settings(home=tmp_path / "home", database_url=None, c2pa_trust_anchors=anchors))
    yield opened
    opened.engine.dispose()


def test_whether_the_signer_is_trusted_is_on_record(trusting: Workspace) -> None:
    for by in ("Trusted", "Other"):
        item = register(trusting, f"{by}.png", signed("allowed", by=by))
        with trusting.reading() as session:
            [seen] = build_item_answer(session, item).signals
            entry_id = load_entry_ids(session, item)[1]
        logged = open_entry(trusting, entry_id).body["detail"]
        assert seen.detail["signer_trusted"] is logged["signer_trusted"] is (by == "Trusted")
        assert logged["validation_state"] == ("Trusted" if by == "Trusted" else "Valid")
        assert logged["signer"]["common_name"] == f"{by} signer"
        # Anyone may reserve rights, so the statement counts all the same; the record tells the two apart.
        assert item.rights_verdict == "allow"


def test_without_anchors_no_signer_is_trusted(workspace: Workspace) -> None:
    item = register(workspace, "a.png", signed("allowed", by="Trusted"))
    with workspace.reading() as session:
        assert build_item_answer(session, item).signals[0].detail["signer_trusted"] is False


def test_bulk_registration_trusts_the_same_signers(trusting: Workspace) -> None:
    # More rows than are checked in this process, so that another one has to know the anchors.
    data = signed("allowed", by="Trusted")
    rows = [Row("signed", registration("signed"), data), *(Row(f"{n}", registration(f"{n}"), png(n)) for n in range(210))]
    held = HeldRow("again", registration("again"), sha256_hex(data))
    assert register_rows(trusting, [*rows, held]).created == len(rows) + 1
    with trusting.reading() as session:
        assert [one.detail["signer_trusted"] for one in session.exec(select(SignalRecord))] == [True, True]
