"""Time, in one format: UTC, RFC 3339, milliseconds, `Z`."""

import re
from datetime import UTC, datetime
from typing import Any

_CALENDAR_DATE = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")


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


def verify_calendar_date(value: Any) -> Any:
    """Pass on a value that may become a date or a time; for what validates fields before pydantic converts them.

    Raises:
        ValueError: it is a number, or text that does not begin with a date; pydantic would take either for seconds since 1970.
    """
    if isinstance(value, int | float) or (isinstance(value, str) and not _CALENDAR_DATE.match(value)):
        raise ValueError("expected a date as in RFC 3339, such as 2026-01-31")
    return value
