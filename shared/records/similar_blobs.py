"""Blobs that look like a picture: the same bytes, the same pixels, or a near copy.

Rules, in order:

1. A blob is named once, by the strongest kind of match.
2. Where the picture's hash is undefined, the distance of a match is undefined too, and near copies cannot be looked for.
"""

from dataclasses import dataclass

from sqlmodel import Session

from shared.records.hash_index import KnownHashes
from shared.records.hash_rows import HashTable
from shared.vision.fingerprints import RECIPE
from shared.vision.image_query import ImageQuery, MatchBasis, nearest_places
from shared.vision.perceptual_hash import find_near, pack_hashes


@dataclass(frozen=True)
class SimilarBlob:
    """Bytes that match a picture, and how.

    Args:
        kind: of the match.
        distance: bits of 256 in which the hashes differ; None where the hash is undefined.
        sha256: of the bytes.
    """

    kind: MatchBasis
    distance: int | None
    sha256: str


def find_similar_blobs(
    session: Session, table: HashTable, query: ImageQuery, hashes: KnownHashes, max_distance: int, limit: int
) -> list[SimilarBlob]:
    """Find what looks like a picture: the picture's own bytes, whether they are in the table or not, then the others.

    Args:
        session: an open transaction.
        table: where the hashes are from.
        query: what is looked for.
        hashes: the table's hashes.
        max_distance: 0..128, how many bits of a hash may differ.
        limit: of near copies this many at least, where there are so many, and whatever is as near as the last of them.

    Returns:
        Strongest kind first, then by distance and digest.
    """
    is_defined = query.fingerprint.hash.is_defined
    # Equal pixels have equal hashes, where these are defined.
    same = 0 if is_defined else None
    by_pixels = set(table.find_by_pixels(session, RECIPE, query.fingerprint.pixels_sha256)) - {query.sha256}
    matches = [
        SimilarBlob("exact", same, query.sha256),
        *(SimilarBlob("pixels", same, digest) for digest in sorted(by_pixels)),
    ]
    if is_defined:
        rows, distances = find_near(pack_hashes([query.fingerprint.hash.value]), hashes.hashes, max_distance)
        nearest = nearest_places(distances, limit + len(matches))  # these may be among them
        distance_of = {int(hashes.ids[rows[at]]): int(distances[at]) for at in nearest}
        digests = table.load_digests(session, list(distance_of))
        matched = {match.sha256 for match in matches}
        near = sorted((distance_of[row], digest) for row, digest in digests.items() if digest not in matched)
        matches += [SimilarBlob("perceptual", distance, digest) for distance, digest in near]
    return matches
