"""The indexer in a server: a thread that keeps the index up with the log, so that checks rarely have to.

Rules, in order:

1. The log is read several times a second. What was registered, sealed or restored is in the index soon after.
2. Manifests are counted when the server starts and every minute. One of which the index holds too little is repaired.
3. Where another process indexes, this one looks on, and takes over when that one is gone.
4. Nothing ends the thread but the server. What stops the indexer is named in its `failure` until it gets on, and readiness
   and metrics show it; each check asks for itself whether its manifest is whole.
"""

import threading
from contextlib import AbstractContextManager
from functools import partial
from time import monotonic

import structlog

from services.output_gate.indexer import Indexer
from shared.background_thread import working_beside
from shared.errors import SleeveError

# One read of the newest checkpoint; with embedding, far below the five seconds in which a registration is to be seen.
LOOK_SECONDS = 0.25
# How often items are tried again whose bytes were missing or damaged.
RETRY_SECONDS = 10.0
# How often manifests are counted: a count takes milliseconds, and there may be hundreds.
COUNT_SECONDS = 60.0
# After a failure: a dependency that is down is not asked every moment.
REST_SECONDS = 1.0

log = structlog.get_logger()


def background_indexing(indexer: Indexer) -> AbstractContextManager[None]:
    """Keep an index up with the log, in a thread, as long as the block runs."""
    return working_beside(partial(_tail, indexer), "indexer")


def _tail(indexer: Indexer, stop: threading.Event) -> None:
    retried, counted = monotonic(), float("-inf")
    while not stop.is_set():
        try:
            indexer.catch_up(stop, patience_seconds=0)
            if monotonic() - counted > COUNT_SECONDS:
                indexer.repair()
                counted = monotonic()
            if monotonic() - retried > RETRY_SECONDS:
                indexer.retry_gaps()
                retried = monotonic()
        except Exception as error:  # whatever it is: a server without an index would only be found out by its checks
            code = error.code if isinstance(error, SleeveError) else type(error).__name__
            if code != indexer.failure:
                log.exception("indexer_stopped", code=code)
            indexer.failure = code
            stop.wait(REST_SECONDS)
            continue
        indexer.failure = None
        stop.wait(LOOK_SECONDS)
