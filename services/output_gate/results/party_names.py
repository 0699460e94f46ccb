"""Names of people in recorded checks: kept with the party alone, so that erasing a person erases them here too."""

from collections.abc import Iterable, Iterator
from copy import deepcopy
from typing import Any

from sqlmodel import Session, col, select

from shared.records.bulk_insert import in_chunks
from shared.records.parties import Party


def without_names(result: dict[str, Any]) -> dict[str, Any]:
    """Return a result as it is recorded: owners by party id.

    >>> owner = {"party_id": "p", "name": "Olga", "url": None, "role": "creator"}
    >>> without_names({"matches": [{"owners": [owner]}]})
    {'matches': [{'owners': [{'party_id': 'p', 'role': 'creator'}]}]}
    """
    kept = deepcopy(result)
    for owner in _owners(kept):
        owner.pop("name", None)
        owner.pop("url", None)
    return kept


def with_names(session: Session, results: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return recorded results with their owners' names as they are now; a person that was erased is shown as such."""
    shown = [deepcopy(result) for result in results]
    wanted = sorted({owner["party_id"] for result in shown for owner in _owners(result)})
    parties: dict[str, Party] = {}
    for chunk in in_chunks(wanted):
        parties |= {party.id: party for party in session.exec(select(Party).where(col(Party.id).in_(chunk)))}
    for result in shown:
        for owner in _owners(result):
            party = parties[owner["party_id"]]
            owner.update(name=party.name, url=party.url or None)
    return shown


def _owners(result: dict[str, Any]) -> Iterator[dict[str, Any]]:
    # `match` is the first of the matches once more.
    for item in (*result.get("matches", ()), *filter(None, [result.get("match")])):
        yield from item["owners"]
    yield from result.get("cluster_owners", ())
