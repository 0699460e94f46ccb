"""Search by image in the input duty's records.

Rules, in order:

1. The picture is decoded under the same limits as a registration; what would be refused there is refused here.
2. Blobs without a fingerprint are caught up with first, for a moment; the answer counts those that remain.
3. An item matches by the same bytes, else by the same pixels, else by a hash within the distance, and is named once.
4. Withdrawn items are matches like others: what was recorded is shown, with its state.
5. The index is refreshed before blobs are counted, so that what was not compared is never understated.
"""

from dataclasses import dataclass, field

from sqlmodel import Session

from services.ingest.items.answers import build_visible_item
from services.ingest.search.fingerprint_backlog import catch_up
from services.ingest.search.schemas import ItemMatch, SearchAnswer, SearchedBlobs
from shared.auth.caller import current_caller
from shared.records.fingerprints import FINGERPRINTS, count_blobs, load_items_of
from shared.records.hash_index import HashIndex, KnownHashes
from shared.records.items import load_item
from shared.records.similar_blobs import find_similar_blobs
from shared.vision.image_query import ImageQuery, MatchBasis, build_query
from shared.workspace import Workspace

# What a person waiting for an answer hardly notices; a backlog beyond it is the background's.
CATCH_UP_SECONDS = 0.5
# Strongest first.
KINDS: tuple[MatchBasis, ...] = ("exact", "pixels", "perceptual")


@dataclass(frozen=True)
class MatchingItem:
    """An item that matches, and how."""

    kind: MatchBasis
    distance: int | None
    item_id: str


@dataclass
class ImageSearch:
    """Search over a workspace; keeps the hashes in memory between searches."""

    workspace: Workspace
    _index: HashIndex = field(default_factory=HashIndex)

    def search(self, data: bytes, max_distance: int, limit: int) -> SearchAnswer:
        """Find the items that hold a picture.

        Args:
            data: the encoded picture.
            max_distance: 0..128, how many bits of a hash may differ.
            limit: how many matches at most, at least 1.

        Raises:
            InputError: the bytes are no acceptable image.
            UnavailableError: the database is down, or the blob folder is not there.
        """
        query = build_query(data, self.workspace.limits)
        catch_up(self.workspace, CATCH_UP_SECONDS)
        with self.workspace.reading() as session:
            known = self._index.refresh(session)
            matching = find_items(session, query, known, max_distance, limit + 1)
            matches = [_build_match(session, match) for match in matching[:limit]]
            searched = _build_searched(known, count_blobs(session))
        return SearchAnswer(
            query=query.describe(),
            perceptual=query.describe_comparison(max_distance),
            matches=matches,
            more=len(matching) > limit,
            searched=searched,
            complete=searched.not_fingerprinted == 0 and searched.failed == 0,
        )


def find_items(session: Session, query: ImageQuery, known: KnownHashes, max_distance: int, limit: int) -> list[MatchingItem]:
    """Find the first items that match, strongest kind first, then by distance and id.

    Args:
        session: an open transaction.
        query: what is looked for.
        known: the hashes it is compared with.
        max_distance: 0..128.
        limit: how many at most.
    """
    # Every blob has an item at least, so as many blobs give enough items.
    alike = {match.sha256: match for match in find_similar_blobs(session, FINGERPRINTS, query, known, max_distance, limit)}
    matches = [
        MatchingItem(alike[digest].kind, alike[digest].distance, item_id)
        for item_id, digest in load_items_of(session, list(alike))
    ]
    matches.sort(key=lambda match: (KINDS.index(match.kind), match.distance or 0, match.item_id))
    return matches[:limit]


def _build_match(session: Session, match: MatchingItem) -> ItemMatch:
    item = build_visible_item(session, load_item(session, match.item_id), current_caller())
    return ItemMatch(kind=match.kind, distance=match.distance, item=item)


def _build_searched(known: KnownHashes, registered: int) -> SearchedBlobs:
    return SearchedBlobs(
        registered=registered,
        not_fingerprinted=max(registered - known.fingerprints, 0),
        failed=known.failed,
        hash_undefined=known.undefined,
    )
