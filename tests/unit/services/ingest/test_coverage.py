"""Coverage of the input duty: counts that are those of the records, on both databases."""

from pathlib import Path

from services.ingest.coverage import Coverage, measure_coverage
from shared.records.items import ItemOwner, load_item
from shared.records.parties import find_or_add_parties
from shared.workspace import Workspace
from tests.support.factories import png, register
from tests.unit.services.ingest.small_sources import add, write_parquet


def test_every_count_is_of_active_items_that_have_the_thing(any_workspace: Workspace) -> None:
    full = register(any_workspace, "full.png", png(1))
    register(any_workspace, "bare.png", png(2), owners=[], diligence=[], archival_link=None)
    gone = register(any_workspace, "gone.png", png(3))
    register(any_workspace, "other.png", png(4), dataset="others", owners=[])
    with any_workspace.writing() as session:
        load_item(session, full.id).archival_state = "verified"
        load_item(session, gone.id).state = "withdrawn"
    with any_workspace.reading() as session:
        others, works = measure_coverage(session)
    assert works == Coverage(
        "works", items=2, owner=1, acquirer=2, diligence=1, archival_link=1, archival_verified=1, denied=0
    )
    assert works.share(works.owner) == 0.5
    assert others == Coverage(
        "others", items=1, owner=0, acquirer=1, diligence=1, archival_link=1, archival_verified=0, denied=0
    )


def test_placeholders_do_not_raise_coverage(workspace: Workspace, tmp_path: Path) -> None:
    rows = [
        {"png": png(n), "key": f"{n}", "license": "MIT", "artist": name} for n, name in enumerate(["Unknown", "n/a", "Ada"])
    ]
    assert add(workspace, write_parquet(tmp_path / "in.parquet", rows)).created == 3
    with workspace.reading() as session:
        [coverage] = measure_coverage(session)
    assert coverage.owner == 1


def test_more_parties_that_are_nobody_than_a_statement_has_parameters(any_workspace: Workspace) -> None:
    register(any_workspace, "named.png", png(1))
    item = register(any_workspace, "nobody.png", png(2), owners=[])
    with any_workspace.writing() as session:
        pairs = [("Unknown", f"https://example.org/{number}") for number in range(40_000)]
        ids = find_or_add_parties(session, pairs)
        nobody = ItemOwner(
            item_id=item.id,
            position=0,
            party_id=ids["Unknown", "https://example.org/39999"],
            role="creator",
            basis="dataset metadata",
            confidence=0.7,
        )
        session.add(nobody)
    with any_workspace.reading() as session:
        [coverage] = measure_coverage(session)
    assert (coverage.items, coverage.owner) == (2, 1)
