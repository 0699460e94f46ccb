"""Owners that an image's own metadata names, added to those of its record.

Rules, in order:

1. What the record says stays as it is and first. Nobody is replaced, and no confidence is changed.
2. Whom the metadata names and the record does not, in whatever role, is a further presumed owner: basis "embedded metadata",
   with the confidence of the field, which is below that of a data set's column. The same name is added once, by its best
   field.
3. The look into the metadata is a search for the owner, and is put on record where it found a name, also one that the record
   has already. Its result says in which fields and names nobody, since results are in the log.
4. What makes two registrations the same is what was registered: additions are no part of it.
"""

from collections.abc import Sequence
from itertools import islice

from services.ingest.items.schemas import DiligenceSearch, PresumedOwner, Registration
from services.ingest.signals.embedded_metadata import OwnerSuggestion
from shared.clock import utc_now
from shared.ledger.body_fields import EMBEDDED_BASIS

# Our own bound: a picture has a creator, an owner and an agency, rarely several of each. It keeps what a stranger wrote into a
# file from filling the record.
MAX_ADDED_OWNERS = 10
# That of a registration's owners and searches.
MAX_OWNERS = MAX_SEARCHES = 100


def with_embedded_owners(registration: Registration, suggestions: Sequence[OwnerSuggestion]) -> Registration:
    """Return the record as it is to be kept: with whom the image's metadata names, and the search that found them.

    Args:
        registration: the record as given.
        suggestions: what `suggest_owners` found in the image.

    Returns:
        The same record where there are no suggestions.
    """
    if not suggestions:
        return registration
    known_names = {_spelling(owner.name) for owner in registration.owners}
    room = min(MAX_ADDED_OWNERS, MAX_OWNERS - len(registration.owners))
    added = tuple(islice(_best_by_name(suggestions, known_names), max(room, 0)))
    searches = (_search(suggestions, len(added)),) if len(registration.diligence) < MAX_SEARCHES else ()
    return registration.model_copy(
        update={"owners": (*registration.owners, *added), "diligence": (*registration.diligence, *searches)}
    )


def _best_by_name(suggestions: Sequence[OwnerSuggestion], known_names: set[str]) -> list[PresumedOwner]:
    best: dict[str, PresumedOwner] = {}
    for owner in (suggestion.owner for suggestion in suggestions):
        name = _spelling(owner.name)
        if name not in known_names and (name not in best or owner.confidence > best[name].confidence):
            best[name] = owner
    return list(best.values())


def _spelling(name: str) -> str:
    return " ".join(name.casefold().split())


def _search(suggestions: Sequence[OwnerSuggestion], added: int) -> DiligenceSearch:
    fields = ", ".join(dict.fromkeys(suggestion.source for suggestion in suggestions))
    now = utc_now()
    return DiligenceSearch(
        source=EMBEDDED_BASIS,
        searched_at=now,
        result=f"named in {fields}; {added} beyond those of the record" if added else f"record agrees: {fields}",
    )
