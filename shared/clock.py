"""Time, in one format: UTC, RFC 3339, milliseconds, `Z`."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """Return the present time in UTC, cut to milliseconds (what an entry can carry)."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def timestamp(moment: datetime) -> str:
    """Format an aware datetime as RFC 3339 UTC with milliseconds.

    >>> timestamp(datetime(2026, 1, 31, 12, tzinfo=UTC))
    '2026-01-31T12:00:00.000Z'
    """
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def format_moment(moment: datetime) -> str:
    """Format a stored time; SQLite gives naive values, which are UTC.

    >>> format_moment(datetime(2026, 1, 31, 12))
    '2026-01-31T12:00:00.000Z'
    """
    return timestamp(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
