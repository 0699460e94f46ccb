"""Logs: structured events on standard error, never images, keys or personal data."""

import logging
import sys

import structlog


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
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
    )
