"""Owners that an image's own metadata names: beside those of the record, never in their place, on record with their basis."""

import pytest
from PIL import Image
from sqlmodel import select

from services.ingest.bulk.pipeline import register_rows
from services.ingest.bulk.rows import Row
from services.ingest.items.answers import build_item_answer
from services.ingest.lifecycle.erasure import erase_party
from services.ingest.registration.embedded_owners import MAX_ADDED_OWNERS, with_embedded_owners
from services.ingest.registration.service import prepare_item, record_item
from services.ingest.signals.embedded_metadata import suggest_owners
from shared.errors import ConflictError
from shared.ledger.body_fields import EMBEDDED_BASIS
from shared.records.committed_entries import Commitment
from shared.records.items import Diligence, Item
from shared.workspace import Workspace
from tests.support.factories import encode, picture, png, register, registration
from tests.support.log_entries import open_entry
from tests.unit.services.ingest.signals.xmp_pictures import with_xmp, xmp

CREATORS = "<dc:creator><rdf:Seq>{}</rdf:Seq></dc:creator>"
RIGHTS = '<dc:rights><rdf:Alt><rdf:li xml:lang="x-default">© 2024 Mary Somerville</rdf:li></rdf:Alt></dc:rights>'


def naming(*creators: str, further: str = "", kind: str = "JPEG") -> bytes:
    """A picture whose XMP names these creators."""
    return with_xmp(xmp(CREATORS.format("".join(f"<rdf:li>{one}</rdf:li>" for one in creators)) + further), kind)


def owners(workspace: Workspace, item: Item) -> list[tuple[str, str, str, float]]:
    with workspace.reading() as session:
        answer = build_item_answer(session, session.get_one(Item, item.id))
    assert not answer.contested
    return [(one.name, one.role, one.basis, one.confidence) for one in answer.owners]


def test_an_item_without_an_owner_gets_those_of_the_image(any_workspace: Workspace) -> None:
    item = register(any_workspace, "a.jpg", naming("Ada Lovelace", further=RIGHTS), owners=[], diligence=[])
    assert owners(any_workspace, item) == [
        ("Ada Lovelace", "creator", EMBEDDED_BASIS, 0.6),
        ("Mary Somerville", "rightsholder", EMBEDDED_BASIS, 0.4),
    ]
    entry = open_entry(any_workspace, item.entry_id)
    assert [(one["basis"], one["confidence"]) for one in entry.body["owners"]] == [
        (EMBEDDED_BASIS, 0.6),
        (EMBEDDED_BASIS, 0.4),
    ]
    assert entry.body["diligence"][0]["result"] == ("named in XMP dc:creator, XMP dc:rights; 2 beyond those of the record")
    assert {"owners.0.name", "owners.1.name"} <= entry.commitments.keys()
    assert b"Lovelace" not in entry.canonical_bytes()


def test_the_owner_of_the_record_stays_first_and_a_differing_one_is_added(workspace: Workspace) -> None:
    item = register(workspace, "a.jpg", naming("Ada Lovelace"))
    assert owners(workspace, item) == [
        ("Olga Owner", "creator", "dataset metadata", 0.7),
        ("Ada Lovelace", "creator", EMBEDDED_BASIS, 0.6),
    ]
    with workspace.reading() as session:
        searches = session.exec(select(Diligence).order_by(Diligence.position)).all()  # type: ignore[arg-type]
    assert [search.result for search in searches] == [
        "creator named",
        "named in XMP dc:creator; 1 beyond those of the record",
    ]


def test_the_same_name_is_not_named_twice(workspace: Workspace) -> None:
    further = RIGHTS.replace("Mary Somerville", "olga  owner")
    item = register(workspace, "a.jpg", naming("OLGA OWNER", further=further))
    assert owners(workspace, item) == [("Olga Owner", "creator", "dataset metadata", 0.7)]
    with workspace.reading() as session:
        assert session.exec(select(Diligence.result).where(Diligence.position == 1)).one() == (
            "record agrees: XMP dc:creator, XMP dc:rights"
        )


def test_a_picture_that_names_nobody_changes_nothing(workspace: Workspace) -> None:
    given = registration("a.png")
    assert with_embedded_owners(given, suggest_owners(png(1))) is given
    item = register(workspace, "a.png", png(1))
    assert owners(workspace, item) == [("Olga Owner", "creator", "dataset metadata", 0.7)]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_exif_is_read_in_every_container(workspace: Workspace, kind: str) -> None:
    exif = Image.Exif()
    exif[0x013B] = "Ada Lovelace"
    item = register(workspace, "a", encode(picture(1), kind, exif=exif), owners=[])
    assert [name for name, *_ in owners(workspace, item)] == ["Ada Lovelace"]


def test_the_same_registration_again_is_known_and_another_record_is_not(workspace: Workspace) -> None:
    data = naming("Ada Lovelace")
    first = register(workspace, "a.jpg", data)
    again = prepare_item(registration("a.jpg"), data, workspace.blobs, workspace.limits)
    with workspace.writing() as session:
        repeated = record_item(session, again)
        assert (repeated.item_id, repeated.created) == (first.id, False)
    # A registration that names the embedded creator itself is another record.
    named = [{"name": "Ada Lovelace", "basis": EMBEDDED_BASIS, "confidence": 0.6}]
    other = prepare_item(registration("a.jpg", owners=named), data, workspace.blobs, workspace.limits)
    with workspace.writing() as session, pytest.raises(ConflictError):
        record_item(session, other)


def test_bulk_registration_records_them_too(workspace: Workspace) -> None:
    # More rows than are checked in this process: some of them are checked by another.
    rows = [Row(f"{number}", registration(f"{number}", owners=[]), naming(f"Artist {number % 3}")) for number in range(260)]
    for created in (len(rows), 0):
        result = register_rows(workspace, rows)
        assert (result.created, result.bad) == (created, [])
    with workspace.reading() as session:
        for item in session.exec(select(Item).limit(20)):
            named = build_item_answer(session, item).owners
            assert [(one.name, one.basis) for one in named] == [(f"Artist {int(item.source_key) % 3}", EMBEDDED_BASIS)]


def test_what_the_bytes_say_makes_no_two_items_of_them_contested(workspace: Workspace) -> None:
    data = naming("Ada Lovelace")
    silent = register(workspace, "a.jpg", data, owners=[])
    named = register(
        workspace,
        "b.jpg",
        data,
        owners=[{"name": "Ada Lovelace", "url": "https://ada.test", "basis": "letter", "confidence": 0.9}],
    )
    owners(workspace, silent)
    owners(workspace, named)
    register(workspace, "c.jpg", data)
    with workspace.reading() as session:
        assert build_item_answer(session, session.get_one(Item, silent.id)).contested


def test_a_file_full_of_names_does_not_fill_the_record(workspace: Workspace) -> None:
    data = naming(*(f"Artist {number} {'x' * 1500}" for number in range(60)), kind="PNG")
    full = [{"name": f"Owner {number}", "basis": "letter", "confidence": 1} for number in range(100)]
    assert len(owners(workspace, register(workspace, "a.jpg", data))) == 1 + MAX_ADDED_OWNERS
    assert len(owners(workspace, register(workspace, "b.jpg", naming("Ada"), owners=full))) == 100


def test_an_embedded_name_can_be_erased(workspace: Workspace) -> None:
    item = register(workspace, "a.jpg", naming("Ada Lovelace"), owners=[])
    with workspace.reading() as session:
        party = build_item_answer(session, session.get_one(Item, item.id)).owners[0].party_id
    with workspace.writing() as session:
        erase_party(session, party, "a request under Art. 17 GDPR")
    with workspace.reading() as session:
        assert "Ada Lovelace" not in {row.value for row in session.exec(select(Commitment))}
        assert [one.name for one in build_item_answer(session, session.get_one(Item, item.id)).owners] != ["Ada Lovelace"]
