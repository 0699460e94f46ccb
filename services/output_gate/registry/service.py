"""The registry of outputs: did this gate see a picture, and what did it say?

Rules, in order:

1. The picture is decoded under the limits of a check; nothing of it is kept.
2. A generation matches by the same bytes, else by the same pixels, else by a perceptual hash within the distance.
3. Every check is in the registry from the moment of its commit: what is not found was not seen, as far as hashes can tell.
4. Shown are decisions, times and ids: no bytes, and no names.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlmodel import Session

from services.output_gate.checks.answers import build_summaries
from services.output_gate.registry.schemas import SearchedOutputs, SeenAnswer, SeenOutput
from shared.records.checks import Check
from shared.records.hash_index import HashIndex
from shared.records.outputs import OUTPUTS, load_checks_of
from shared.records.similar_blobs import SimilarBlob, find_similar_blobs
from shared.vision.image_query import build_query
from shared.workspace import Workspace


@dataclass
class OutputSearch:
    """Search over the checks of a workspace; keeps the hashes in memory between searches."""

    workspace: Workspace
    _index: HashIndex = field(default_factory=lambda: HashIndex(OUTPUTS))

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
            similar = find_similar_blobs(session, OUTPUTS, query, known, max_distance, limit + 1)
            if not load_checks_of(session, [query.sha256]):
                del similar[0]  # the picture's own bytes, which the gate never saw
            matches = _build_matches(session, similar[:limit])
        return SeenAnswer(
            query=query.describe(),
            perceptual=query.describe_comparison(max_distance),
            seen=bool(matches),
            matches=matches,
            more=len(similar) > limit,
            searched=SearchedOutputs(generations=known.fingerprints, hash_undefined=known.undefined),
        )


def _build_matches(session: Session, similar: Sequence[SimilarBlob]) -> list[SeenOutput]:
    checks: dict[str, list[Check]] = {blob.sha256: [] for blob in similar}
    for check in load_checks_of(session, list(checks)):
        checks[check.generation_sha256].append(check)
    return [
        SeenOutput(
            kind=blob.kind,
            distance=blob.distance,
            generation_sha256=blob.sha256,
            checks=build_summaries(session, checks[blob.sha256]),
        )
        for blob in similar
    ]
