"""The copy detector of a manifest, kept beside its views: built on first use, found again after.

Views and points are projections of the blobs: named by the manifest's root, bound to their content by digests, rebuilt
where those do not hold.
"""

from collections.abc import Sequence
from pathlib import Path

import structlog

from shared.errors import CorruptStateError
from shared.matching.copy_detection import CopyDetector
from shared.matching.copy_detection.embedder import RECIPE
from shared.vision.view_store import ViewStore

log = structlog.get_logger()


def load_copy_detector(store: ViewStore, folder: Path, manifest_root: str, blob_sha256s: Sequence[str]) -> CopyDetector:
    """Return the detector of a manifest's items.

    Args:
        store: makes and keeps the views.
        folder: where the points are kept.
        manifest_root: the manifest's root, hexadecimal.
        blob_sha256s: the digests of its items' bytes, in its order; the detector numbers the items so.

    Raises:
        CorruptStateError: a blob is damaged.
        NotFoundError: a blob is missing.
    """
    views = store.load(manifest_root, blob_sha256s, RECIPE)
    path = folder / f"{manifest_root[:32]}-{RECIPE.sha256[:16]}.points"
    if path.is_file():
        try:
            return CopyDetector.load(path, views)
        except CorruptStateError as error:
            # A projection, made of views that are intact: it is made again, and nothing is lost but time.
            log.warning("copy_points_rebuilt", manifest=manifest_root, reason=error.code)
    detector = CopyDetector.build(views)
    temporary = path.with_suffix(".new")
    detector.save(temporary)
    temporary.replace(path)
    return detector
