"""Further items of bytes that are registered already: what the record says of bytes that did not come with the row.

Rules, in order:

1. Bytes are held if an item was registered with them, earlier or in a row before, and they are still in the blob store,
   undamaged. A log entry about bytes that are gone could be compared with nothing.
2. Their facts are those recorded with the first item. What they say in themselves, of training and of owners, is read as for
   the first: a second name for a picture does not wash off what the picture says.
3. Facts and statements of some thousand blobs are kept for the run, so that a thousand items of one picture read it once.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from services.ingest.bulk.rows import BadRow, HeldRow, NoPicture
from services.ingest.registration.preparation import BlobFacts, PreparedItem, prepare_record
from services.ingest.signals.read import ImageStatements, read_image
from shared.clock import utc_now
from shared.errors import InputError, SleeveError
from shared.records.items import find_blobs
from shared.workspace import Workspace

# Facts and signals of one blob take about a kilobyte.
KEPT_BLOBS = 10_000

Known = tuple[BlobFacts, ImageStatements]


class HeldBlobs:
    """Finds bytes by their digest, for one run.

    Args:
        workspace: whose blobs.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._kept: OrderedDict[str, Known] = OrderedDict()

    def resolve(
        self, rows: Sequence[PreparedItem | InputError | HeldRow | BadRow | NoPicture]
    ) -> list[PreparedItem | SleeveError | NoPicture]:
        """Make items of the rows that name their bytes, in the order of the rows.

        Args:
            rows: of one batch, checked; every row before them is stored.

        Returns:
            For each row: the item to record, or why there is none; a file that is no picture as it is.
        """
        ready: list[PreparedItem | SleeveError | NoPicture] = []
        facts = self._load_facts({row.sha256 for row in rows if isinstance(row, HeldRow)})
        for row in rows:
            if isinstance(row, PreparedItem):
                facts[row.blob.sha256] = row.blob
            if isinstance(row, HeldRow):
                ready.append(self._prepare(row, facts))
            else:
                ready.append(row.error if isinstance(row, BadRow) else row)
        return ready

    def _load_facts(self, digests: set[str]) -> dict[str, BlobFacts]:
        unknown = sorted(digest for digest in digests if digest not in self._kept)
        if not unknown:
            return {}
        with self._workspace.reading() as session:
            return {blob.sha256: BlobFacts(**blob.model_dump()) for blob in find_blobs(session, unknown)}

    def _prepare(self, row: HeldRow, facts: Mapping[str, BlobFacts]) -> PreparedItem | SleeveError:
        try:
            blob, statements = self._kept.get(row.sha256) or self._read(row.sha256, facts.get(row.sha256))
            now = utc_now()
            signals = [replace(signal, observed_at=now) for signal in statements.signals]
            return prepare_record(row.registration, blob, signals, statements.suggestions)
        except SleeveError as error:
            return error

    def _read(self, sha256: str, facts: BlobFacts | None) -> Known:
        if facts is None:
            raise InputError(f"expected the SHA-256 of bytes registered before, got {sha256}", code="blob_unknown")
        anchors = self._workspace.limits.trust_anchors_pem
        known = facts, read_image(self._workspace.blobs.load(sha256), trust_anchors_pem=anchors)
        self._kept[sha256] = known
        if len(self._kept) > KEPT_BLOBS:
            self._kept.popitem(last=False)
        return known
