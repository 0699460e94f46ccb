"""Values that name a person without being a name: a title, a URL, what a signal says. They go when the person is erased.

Rules, in order:

1. A text names a person when it holds every word of the name, in any order, or the name in one word. Case, accents and the
   escapes of URLs do not matter. It may say so of a namesake; then a little more is erased than had to be.
2. Looked through are the items that presume the person an owner: their columns, their signals, and every hidden value of the
   log's entries about them and about their flags.
3. An item without its source has no archival link either.
"""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from sqlmodel import Session, col, select

from shared.records.bulk_insert import in_chunks
from shared.records.flags import Flag, FlagStep
from shared.records.items import Item, ItemEntry, ItemOwner, SignalRecord
from shared.records.openings import erase_hidden_values
from shared.records.parties import Party

# A shorter name in the middle of a longer word is chance.
MIN_JOINED = 6
_ITEM_TEXTS = ("title", "licence_url", "acquired_from", "archival_snapshot_url", "source_url")


@dataclass(frozen=True)
class PersonName:
    """A person's name and URL, to be looked for in other texts.

    >>> PersonName("Ada Lovelace").is_in({"url": "https://example.org/a/Lovelace%2C_ada.png"})
    True
    >>> PersonName("Ada Lovelace").is_in(["Ada", "adamant", None, 7])
    False
    """

    name: str
    url: str = ""

    def is_in(self, value: Any) -> bool:
        """Say whether a JSON value names the person in any of its texts."""
        return any(self._names(text) for text in _texts(value))

    def _names(self, text: str) -> bool:
        if self.url and self.url in text:
            return True
        wanted, words = _words(self.name), _words(unquote(text))
        joined = "".join(wanted)
        return bool(wanted) and (set(wanted) <= set(words) or (len(joined) >= MIN_JOINED and joined in "".join(words)))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from (key, *_texts(part))
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)


def _words(text: str) -> list[str]:
    plain = "".join(char for char in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(char))
    return "".join(char if char.isalnum() else " " for char in plain).split()


def erase_named_values(session: Session, party: Party) -> int:
    """Erase what names a party on the items that presume it an owner, in the caller's transaction.

    Returns:
        How many hidden values of entries can no longer be opened.
    """
    person = PersonName(party.name, "" if party.url.startswith("urn:") else party.url)
    item_ids = list(session.exec(select(ItemOwner.item_id).where(ItemOwner.party_id == party.id).distinct()))
    erased = 0
    for chunk in in_chunks(item_ids):
        entry_ids: list[int] = []
        for item in session.exec(select(Item).where(col(Item.id).in_(chunk))):
            _erase_columns(session, item, person)
            entry_ids.append(item.entry_id)
        for signal in session.exec(select(SignalRecord).where(col(SignalRecord.item_id).in_(chunk))):
            signal.detail = _without_named(signal.detail, person)
            session.add(signal)
        entry_ids += session.exec(select(ItemEntry.entry_id).where(col(ItemEntry.item_id).in_(chunk)))
        flags = select(Flag.id).where(col(Flag.item_id).in_(chunk))
        entry_ids += session.exec(select(Flag.entry_id).where(col(Flag.item_id).in_(chunk)))
        entry_ids += session.exec(select(FlagStep.entry_id).where(col(FlagStep.flag_id).in_(flags)))
        erased += erase_hidden_values(session, entry_ids, person.is_in)
    session.flush()
    return erased


def _erase_columns(session: Session, item: Item, person: PersonName) -> None:
    for column in _ITEM_TEXTS:
        if person.is_in(getattr(item, column)):
            setattr(item, column, None)
    if item.source_url is None:
        item.archival_snapshot_url, item.archival_version_date, item.archival_state = None, None, None
    item.extra = _without_named(item.extra, person)
    session.add(item)


def _without_named(values: dict[str, Any], person: PersonName) -> dict[str, Any]:
    return {key: value for key, value in values.items() if not person.is_in({key: value})}
