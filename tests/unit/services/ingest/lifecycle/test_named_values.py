"""A title, a URL or a reason that names a person goes with the name; what names nobody stays and still opens."""

from typing import Any

import pytest
from sqlmodel import select

from services.ingest.items.answers import build_item_answer
from services.ingest.items.service import build_history
from services.ingest.lifecycle.erasure import erase_party
from services.ingest.lifecycle.named_values import PersonName
from services.ingest.lifecycle.schemas import Amendment
from services.ingest.lifecycle.service import amend_item
from shared.ledger.verify import verify_log
from shared.records.items import Item
from shared.records.parties import Party
from shared.records.tables import ALL_TABLES
from shared.workspace import Workspace
from tests.support.factories import png, register

OLGA = "Olga Owner"


@pytest.mark.parametrize(
    ("name", "value", "is_named"),
    [
        (OLGA, "Portrait by Olga Owner", True),
        (OLGA, "OWNER, Olga: Portrait", True),
        (OLGA, "https://example.org/olgaowner/1.png", True),
        (OLGA, "https://example.org/~olga_owner%2F1.png", True),
        (OLGA, {"a": [{"b": "owner olga"}]}, True),
        (OLGA, {"Olga Owner": 1}, True),
        ("Zoë Müller", "https://example.org/zoe-muller", True),
        ("Žofie", "a work of zofie", True),
        (OLGA, "Olga", False),
        (OLGA, ["Olga", "Owner"], False),
        ("Li", "https://example.org/library", False),
        ("…", "anything …", False),
        (OLGA, None, False),
        (OLGA, 7, False),
    ],
)
def test_a_text_names_a_person_by_all_words_of_the_name(name: str, value: Any, is_named: bool) -> None:
    assert PersonName(name).is_in(value) is is_named


def test_a_text_names_a_person_by_their_url() -> None:
    assert PersonName("A. B.", "https://ab.example").is_in("see https://ab.example/works")


def test_what_names_the_person_goes_and_the_rest_stays(any_workspace: Workspace) -> None:
    named = register(
        any_workspace,
        "a.png",
        png(1),
        title="Olga Owner at night",
        archival_link={"original_url": "https://example.org/olga-owner/a.png"},
        extra={"photographer": "Owner, Olga", "camera": "a box"},
    )
    plain = register(any_workspace, "b.png", png(2), title="Night")
    other = register(any_workspace, "c.png", png(3), title="Olga Owner house", owners=[], diligence=[])
    amend_item(any_workspace, plain.id, Amendment(reason="Olga Owner wrote to us", title="Late night"))
    before = [any_workspace.log.entry(index) for index in range(any_workspace.log.size)]
    with any_workspace.writing() as session:
        owner = session.exec(select(Party).where(Party.name == OLGA)).one()
        erase_party(session, owner.id, "a request")
    any_workspace.log.integrate()
    with any_workspace.reading() as session:
        answers = [build_item_answer(session, session.get_one(Item, item.id)) for item in (named, plain, other)]
        rows = [str(row.model_dump()) for table in ALL_TABLES for row in session.exec(select(table))]
    assert [answer.title for answer in answers] == [None, "Late night", "Olga Owner house"]
    assert (answers[0].source_url, answers[0].archival_link, answers[0].extra) == (None, None, {"camera": "a box"})
    assert answers[1].source_url == "https://example.org/b.png"
    # The item that names nobody as its owner keeps its title: erasure goes by the items of the person.
    assert sum("olga" in row.lower() for row in rows) == sum("Olga Owner house" in row for row in rows)
    first = build_history(any_workspace, named.id).entries[0].body
    assert {"title", "source_url", "archival_link"}.isdisjoint(first)
    assert first["licence"] == "CC-BY-4.0"
    amended = build_history(any_workspace, plain.id).entries[1].body
    assert "reason" not in amended
    assert amended["title"] == "Late night"
    assert [any_workspace.log.entry(index) for index in range(len(before))] == before
    verify_log(any_workspace.log.folder, any_workspace.log.vkey)
