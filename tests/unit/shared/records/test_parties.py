"""Parties: one a name and URL, whoever adds it, and however many at once."""

from concurrent.futures import ThreadPoolExecutor

from sqlmodel import func, select

from shared.records.parties import Party, find_or_add_parties, load_parties
from shared.workspace import Workspace


def add(workspace: Workspace, *names: tuple[str, str]) -> dict[tuple[str, str], str]:
    with workspace.writing() as session:
        return find_or_add_parties(session, names)


def test_a_party_is_known_by_name_and_url(any_workspace: Workspace) -> None:
    ids = add(any_workspace, ("Ada", ""), ("Ada", "https://ada.example"), ("Ada", ""))
    assert set(ids) == {("Ada", ""), ("Ada", "https://ada.example")}
    assert len(set(ids.values())) == 2
    assert add(any_workspace, ("Ada", ""), ("Grace", "")).items() >= {("Ada", ""): ids["Ada", ""]}.items()
    assert add(any_workspace) == {}


def test_more_names_than_a_statement_takes(any_workspace: Workspace) -> None:
    names = [(f"party {number}", "") for number in range(2000)]
    ids = add(any_workspace, *names)
    assert add(any_workspace, *reversed(names)) == ids
    with any_workspace.reading() as session:
        assert {party.id: (party.name, party.url) for party in load_parties(session, ids.values()).values()} == {
            party_id: pair for pair, party_id in ids.items()
        }


def test_of_many_that_add_the_same_parties_at_once_all_get_the_same_ids(any_workspace: Workspace) -> None:
    names = [(f"party {number}", "") for number in range(50)]
    with ThreadPoolExecutor(6) as pool:
        results = list(pool.map(lambda shift: add(any_workspace, *names[shift:], *names[:shift]), range(6)))
    assert all(result == results[0] for result in results)
    with any_workspace.reading() as session:
        assert session.exec(select(func.count()).select_from(Party)).one() == len(names)


def test_an_id_that_stands_for_no_party_is_left_out(workspace: Workspace) -> None:
    [party_id] = add(workspace, ("Ada", "")).values()
    with workspace.reading() as session:
        assert set(load_parties(session, [party_id, "nobody"])) == {party_id}
