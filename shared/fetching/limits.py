"""How much one fetch may take, and how long it waits between attempts."""

import random
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime

from shared.clock import utc_now


@dataclass(frozen=True)
class FetchLimits:
    """Caps on one fetch, its redirects and retries together except where said.

    The defaults: 20 MiB is the largest image accepted anywhere; RFC 9309 section 2.3.1.2 asks for five redirects; servers
    limit the headers that they take to 8 to 32 KiB; the times are chosen so that a list of URLs moves on from a dead host.
    """

    max_bytes: int = 20 * 2**20  # of each answer, coded and decoded
    max_header_bytes: int = 32 * 2**10  # of each answer
    total_seconds: float = 60.0
    connect_seconds: float = 10.0  # a connection to one address
    idle_seconds: float = 15.0  # a silence
    max_redirects: int = 5
    attempts: int = 3  # a hop
    backoff_seconds: float = 0.5  # the first wait; the next ones double
    max_wait_seconds: float = 20.0  # one wait, also where Retry-After asks for it


def choose_wait(attempt: int, asked_seconds: float | None, limits: FetchLimits) -> float | None:
    """Choose how long to wait before the next attempt.

    Args:
        attempt: number of the attempt that failed, from 1.
        asked_seconds: what the server asked for.
        limits: attempts, first wait, longest wait.

    Returns:
        Seconds, spread by chance so that many clients do not return together; None for giving up.

    >>> choose_wait(1, 7.0, FetchLimits()), choose_wait(1, 3600.0, FetchLimits()), choose_wait(3, None, FetchLimits())
    (7.0, None, None)
    """
    if attempt >= limits.attempts:
        return None
    if asked_seconds is not None:
        return asked_seconds if asked_seconds <= limits.max_wait_seconds else None
    grown = min(limits.backoff_seconds * 2.0 ** (attempt - 1), limits.max_wait_seconds)
    return grown * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, hides nothing


def parse_retry_after(value: str | None) -> float | None:
    """Read a Retry-After header: seconds, or a date; None where it says nothing that can be read.

    Source: RFC 9110 section 10.2.3.

    >>> parse_retry_after("120"), parse_retry_after("Fri, 31 Dec 1999 23:59:59 GMT"), parse_retry_after("soon")
    (120.0, 0.0, None)
    """
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (aware - utc_now()).total_seconds())
