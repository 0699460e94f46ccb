"""From several statements to one verdict: the most restrictive wins.

Rules, in order:

1. Any denial denies.
2. Otherwise anything undecided leaves it undecided.
3. Otherwise, what was said allows.
4. Nothing said is unknown: silence is not permission.

Source: draft-ietf-aipref-vocab, "Combining Preferences", for the first and the last rule. It lets an allowance win over an
unknown; here it does not, since an unknown may be a denial that could not be read.
"""

from collections.abc import Iterable

from services.ingest.signals.signal import Signal, SignalVerdict

_BY_RESTRICTION: tuple[SignalVerdict, ...] = ("deny", "unknown", "allow")


def most_restrictive(verdicts: Iterable[SignalVerdict]) -> SignalVerdict:
    """Return the most restrictive of verdicts, unknown where there are none.

    >>> most_restrictive(["allow", "unknown"]), most_restrictive(["allow", "deny", "unknown"]), most_restrictive([])
    ('unknown', 'deny', 'unknown')
    """
    distinct = set(verdicts)
    return next((verdict for verdict in _BY_RESTRICTION if verdict in distinct), "unknown")


def combine(signals: Iterable[Signal]) -> SignalVerdict:
    """Return the one verdict of all signals of an item.

    Args:
        signals: what was read; none at all is unknown.

    Returns:
        deny, unknown or allow, the first of these that any signal says.
    """
    return most_restrictive(signal.verdict for signal in signals)
