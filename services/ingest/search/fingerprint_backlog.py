"""Catching up: every registered blob gets its fingerprint, after registration and apart from it.

Rules, in order:

1. What has no fingerprint is asked of the database each time: a run that was stopped, or killed, leaves nothing to repair.
2. Blobs are decoded with no transaction open; a batch is written in one short transaction.
3. A run begins at a random digest and goes once around, so that processes at work at once seldom meet. Where they do, the
   first one's rows stay; they are the same.
4. A blob that is missing, damaged or not decodable gets a row that says so, and is not tried again until someone asks for it.
   A database or disk that does not answer is no such reason: it stops the run.
5. In a server, a thread of its own does this, at rest for as long as it works: registration keeps the machine.
"""

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from time import monotonic
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from shared.background_thread import working_beside
from shared.errors import CorruptStateError, InputError, NotFoundError, SleeveError, UnavailableError
from shared.records.fingerprints import FINGERPRINTS, count_blobs, delete_fingerprints, load_pending_blobs
from shared.vision.fingerprints import RECIPE, build_fingerprint
from shared.vision.image_decoding import decoding
from shared.workspace import Workspace

# Blobs of one transaction: bounds what a killed run repeats, and how long a writer may have to wait.
BATCH_BLOBS = 32
# How often a server looks whether the log has grown, and how often it looks at the tables without such a sign.
POLL_SECONDS, RECOUNT_SECONDS = 1.0, 60.0

# Above every hexadecimal digest.
_END = "g"

log = structlog.get_logger()


def catch_up(
    workspace: Workspace,
    seconds: float = float("inf"),
    on_blobs: Callable[[int, float], bool] = lambda _count, _seconds: True,
) -> int:
    """Make the fingerprints that are missing.

    Args:
        workspace: whose blobs.
        seconds: no new blob is begun after so long.
        on_blobs: called once a batch is written, with the number of its blobs and the seconds they took; False ends the run.

    Returns:
        How many blobs were looked at, failed ones included.

    Raises:
        UnavailableError: the database or the blob folder is not there.
    """
    if count_missing(workspace) == 0:
        return 0
    begun, done = monotonic(), 0
    for batch in _pending_batches(workspace):
        batch_begun, rows = monotonic(), []
        for digest in batch:
            if monotonic() - begun >= seconds:
                break
            rows.append(fingerprint_blob(workspace, digest))
        if rows:
            with workspace.writing() as session:
                FINGERPRINTS.save(session, rows)
        done += len(rows)
        if not on_blobs(len(rows), monotonic() - batch_begun) or len(rows) < len(batch):
            break
    return done


def count_missing(workspace: Workspace) -> int:
    """Return how many blobs have no fingerprint of the present recipe."""
    with workspace.reading() as session:
        count = FINGERPRINTS.measure(session, RECIPE).count
        return max(count_blobs(session) - count, 0)


def _pending_batches(workspace: Workspace) -> Iterator[list[str]]:
    start = secrets.token_hex(32)
    for after, up_to in ((start, _END), ("", start)):
        last = after
        while batch := _load_batch(workspace, last, up_to):
            yield batch
            last = batch[-1]


def _load_batch(workspace: Workspace, after: str, up_to: str) -> list[str]:
    with workspace.reading() as session:
        return load_pending_blobs(session, RECIPE, after, up_to, BATCH_BLOBS)


def fingerprint_blob(workspace: Workspace, digest: str) -> dict[str, Any]:
    """Make the row of one blob: its fingerprint, or why it has none.

    Raises:
        UnavailableError: the blob folder is not there.
    """
    row = {"blob_sha256": digest, "recipe": RECIPE}
    try:
        with decoding(workspace.blobs.load(digest), workspace.limits) as image:
            fingerprint = build_fingerprint(image.pixels)
    except (InputError, NotFoundError, CorruptStateError) as error:
        if not workspace.blobs.folder.is_dir():
            raise UnavailableError(f"expected the blob folder {workspace.blobs.folder}, got none") from error
        log.warning("fingerprint_failed", blob=digest, code=error.code)
        return {**row, "pixels_sha256": None, "pdq": None, "quality": None, "failure": error.code}
    return {
        **row,
        "pixels_sha256": fingerprint.pixels_sha256,
        "pdq": fingerprint.hash.value,
        "quality": fingerprint.hash.quality,
        "failure": None,
    }


def forget(workspace: Workspace, *, only_failed: bool) -> None:
    """Delete fingerprints, so that a run makes them again: all of them, or those of blobs that failed."""
    with workspace.writing() as session:
        delete_fingerprints(session, only_failed=only_failed)


def background_catch_up(workspace: Workspace) -> AbstractContextManager[None]:
    """Keep fingerprints up with registration, in a thread, as long as the block runs."""
    return working_beside(partial(_catch_up_until, workspace), "fingerprints")


def _catch_up_until(workspace: Workspace, stop: threading.Event) -> None:
    def rest(_count: int, seconds: float) -> bool:
        return not stop.wait(seconds)

    last_size, last_count_at = -1, float("-inf")
    while not stop.is_set():
        try:
            size = workspace.log.size
            if size != last_size or monotonic() - last_count_at > RECOUNT_SECONDS:
                catch_up(workspace, on_blobs=rest)
                last_size, last_count_at = size, monotonic()
        except (SQLAlchemyError, SleeveError, OSError) as error:
            # Database or disk may come back; until then every search says how many blobs it does not know.
            log.warning("fingerprints_stopped", error=type(error).__name__)
        stop.wait(POLL_SECONDS)
