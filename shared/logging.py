"""Logs: structured events on standard error, never images, keys or personal data."""

import logging
import sys
from contextlib import suppress
from typing import Any

import structlog


class _Printer(structlog.PrintLogger):
    """Prints events. One that cannot be printed, as on a full disk, is lost and fails nothing else."""

    def msg(self, message: Any) -> None:
        """Print a message."""
        with suppress(OSError, ValueError):
            super().msg(message)

    log = debug = info = warn = warning = msg
    fatal = failure = err = error = critical = exception = msg


def configure_logging(*, verbose: bool = False) -> None:
    """Send events to standard error as `key=value` lines; informational ones only where asked for."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO if verbose else logging.WARNING),
        # Looked up for each event: standard error may be another stream by then, as it is between two tests.
        logger_factory=lambda *_: _Printer(sys.stderr),
    )


def access_logger() -> Any:
    """Return the logger of requests: its events go where all do, also where informational ones are not asked for."""
    return structlog.wrap_logger(None, wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))
