"""The registry of outputs: did this gate see a picture, and what did it say?

Rules, in order:

1. The picture is decoded under the limits of a check; nothing of it is kept.
2. A generation matches by the same bytes, else by the same pixels, else by a perceptual hash within the distance.
3. Every check is in the registry from the moment of its commit: what is not found was not seen, as far as hashes can tell.
4. Shown are decisions, times and ids: no bytes, and no names.
"""

from dataclasses import dataclass, field

from sqlmodel import Session

from services.output_gate.checks.answers import build_summaries
from services.output_gate.registry.schemas import SearchedOutputs, SeenAnswer, SeenOutput
from shared.records.checks import Check
from shared.records.hash_index import HashIndex, KnownHashes
from shared.records.outputs import (
    find_outputs_of_pixels,
    load_checks_of,
    load_output_hashes,
    load_outputs_of,
    measure_outputs,
)
from shared.vision.fingerprints import RECIPE
from shared.vision.image_query import ImageQuery, MatchKind, build_query, nearest_places
from shared.vision.perceptual_hash import find_near, pack_hashes
from shared.workspace import Workspace


@dataclass
class OutputSearch:
    """Search over the checks of a workspace; keeps the hashes in memory between searches."""

    workspace: Workspace
    _index: HashIndex = field(default_factory=lambda: HashIndex(measure_outputs, load_output_hashes))

    def search(self, data: bytes, max_distance: int, limit: int) -> SeenAnswer:
        """Find the generations that look like a picture, and what was decided of each.

        Args:
            data: the encoded picture.
            max_distance: 0..128, how many bits of a hash may differ.
            limit: how many generations at most, at least 1.

        Raises:
            InputError: the bytes are no acceptable image.
            UnavailableError: the database is down.
        """
        query = build_query(data, self.workspace.limits)
        with self.workspace.reading() as session:
            known = self._index.refresh(session)
            found = _find_generations(session, query, known, max_distance, limit + 1)
            matches = _build_matches(session, found[:limit])
        return SeenAnswer(
            query=query.describe(),
            perceptual=query.describe_comparison(max_distance),
            seen=bool(matches),
            matches=matches,
            more=len(found) > limit,
            searched=SearchedOutputs(generations=known.fingerprints, hash_undefined=known.undefined),
        )


def _find_generations(
    session: Session, query: ImageQuery, known: KnownHashes, max_distance: int, limit: int
) -> list[tuple[MatchKind, int | None, str]]:
    # Equal pixels have equal hashes, where these are defined.
    same = 0 if query.fingerprint.hash.is_defined else None
    found: list[tuple[MatchKind, int | None, str]] = []
    if load_checks_of(session, [query.sha256]):
        found.append(("exact", same, query.sha256))
    by_pixels = set(find_outputs_of_pixels(session, RECIPE, query.fingerprint.pixels_sha256)) - {query.sha256}
    found += [("pixels", same, digest) for digest in sorted(by_pixels)]
    if len(found) < limit and query.fingerprint.hash.is_defined:
        before = by_pixels | {query.sha256}
        found += _find_by_hash(session, query, known, max_distance, limit - len(found), before)
    return found[:limit]


def _find_by_hash(
    session: Session, query: ImageQuery, known: KnownHashes, max_distance: int, limit: int, found_before: set[str]
) -> list[tuple[MatchKind, int | None, str]]:
    rows, distances = find_near(pack_hashes([query.fingerprint.hash.value]), known.hashes, max_distance)
    nearest = nearest_places(distances, limit + len(found_before))
    distance_of = {int(known.ids[rows[at]]): int(distances[at]) for at in nearest}
    generations = load_outputs_of(session, list(distance_of))
    near = sorted((distance_of[row], digest) for row, digest in generations.items() if digest not in found_before)
    return [("perceptual", distance, digest) for distance, digest in near]


def _build_matches(session: Session, found: list[tuple[MatchKind, int | None, str]]) -> list[SeenOutput]:
    checks: dict[str, list[Check]] = {digest: [] for _, _, digest in found}
    for check in load_checks_of(session, list(checks)):
        checks[check.generation_sha256].append(check)
    return [
        SeenOutput(kind=kind, distance=distance, generation_sha256=digest, checks=build_summaries(session, checks[digest]))
        for kind, distance, digest in found
    ]
