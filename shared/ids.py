"""Identifiers: UUID version 7 (RFC 9562). They sort by the time of their making, and a vector index takes them."""

import uuid_utils


def new_id() -> str:
    """Return a fresh UUIDv7 in its 36-character form."""
    return str(uuid_utils.uuid7())
