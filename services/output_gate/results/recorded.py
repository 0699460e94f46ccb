"""Results as checks record them: without names, and read once into their model.

Names of people are kept with the party alone, so that erasing a person erases them here too.
"""

from collections.abc import Iterable, Iterator
from copy import deepcopy
from typing import Any

from pydantic import ValidationError
from sqlmodel import Session, col, select

from services.output_gate.results.schemas import RecordedResult
from shared.errors import CorruptStateError
from shared.records.bulk_insert import in_chunks
from shared.records.checks import Check
from shared.records.parties import Party
from shared.schemas import describe_field_errors


def read_result(check: Check) -> RecordedResult:
    """Return what a check on record came to.

    Raises:
        CorruptStateError: what is on record is no result.
    """
    try:
        return RecordedResult.model_validate(check.result)
    except ValidationError as error:
        raise CorruptStateError(f"check {check.id} on record: {describe_field_errors(error)}", code="check_damaged") from error


def without_names(result: dict[str, Any]) -> dict[str, Any]:
    """Return a result as it is recorded: owners by party id.

    >>> owner = {"party_id": "p", "name": "Olga", "url": None, "role": "creator"}
    >>> without_names({"matches": [{"owners": [owner]}]})
    {'matches': [{'owners': [{'party_id': 'p', 'role': 'creator'}]}]}
    """
    recorded = deepcopy(result)
    for owner in _owners(recorded):
        owner.pop("name", None)
        owner.pop("url", None)
    return recorded


def with_names(session: Session, results: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return recorded results with their owners' names as they are now; a person that was erased is shown as such."""
    shown = [deepcopy(result) for result in results]
    party_ids = sorted({owner["party_id"] for result in shown for owner in _owners(result)})
    parties: dict[str, Party] = {}
    for chunk in in_chunks(party_ids):
        parties |= {party.id: party for party in session.exec(select(Party).where(col(Party.id).in_(chunk)))}
    for result in shown:
        for owner in _owners(result):
            party = parties[owner["party_id"]]
            owner.update(name=party.name, url=party.url or None)
    return shown


def _owners(result: dict[str, Any]) -> Iterator[dict[str, Any]]:
    # `match` is the first of the matches once more.
    works = [work["matched"] for work in result.get("works", ())]
    for item in (*result.get("matches", ()), *filter(None, [result.get("match")]), *works):
        yield from item["owners"]
    yield from result.get("cluster_owners", ())
