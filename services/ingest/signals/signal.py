"""A rights signal: one machine-readable statement on training, as seen at acquisition.

Rules, in order:

1. A reader takes bytes and gives a `Signal`, or None where the bytes make no statement of its kind.
2. A statement is judged for one use: training a generator of images.
3. Whatever fails while reading is unknown, with the error's text in the detail: never allow, never an exception.
4. The detail is plain JSON of bounded size, fit for a log entry.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple

from shared.canonical import canonical_json, sha256_hex
from shared.clock import utc_now
from shared.errors import InputError

SignalVerdict = Literal["allow", "deny", "unknown"]

# Our own bound on what a record keeps of a foreign text: that of a text in a registration.
MAX_TEXT_CHARS = 2000
# Our own bound on how many values of one kind a record keeps; a statement needs a handful.
MAX_VALUES = 50


@dataclass(frozen=True)
class Signal:
    """One statement: its kind, what it says of training, the digest of the bytes that said it, and what was read in them."""

    kind: str
    verdict: SignalVerdict
    raw_sha256: str
    detail: dict[str, Any]
    observed_at: datetime = field(default_factory=utc_now)


class SignalReading(NamedTuple):
    """What a reader made of the bytes: verdict and detail, not yet a signal with digest and time."""

    verdict: SignalVerdict
    detail: dict[str, Any]


def read_or_unknown(kind: str, raw: bytes, read: Callable[[], SignalReading | None]) -> Signal | None:
    """Run one reader, and make a signal of what it reads.

    Args:
        kind: which statement is sought.
        raw: the bytes that carry it; their digest goes into the signal.
        read: judges the bytes; returns None where they make no such statement.

    Returns:
        The signal; None where `read` returns None; verdict unknown where it raises anything at all.
    """
    try:
        reading = read()
    except Exception as error:  # Foreign bytes meet foreign parsers here, and these state no list of what they raise.
        reading = SignalReading("unknown", {"error": f"{type(error).__name__}: {error}"})
    if reading is None:
        return None
    return Signal(kind, reading.verdict, sha256_hex(raw), bounded(reading.detail))


def bounded(detail: dict[str, Any]) -> dict[str, Any]:
    """Return a detail in which texts and lists are cut to what a record keeps and text is valid Unicode.

    >>> bounded({"policy": "x" * 3000, "n": 1})["policy"][-5:]
    'xxxx…'
    """
    cut = {_text(key): _bounded_value(value) for key, value in list(detail.items())[:MAX_VALUES]}
    try:
        canonical_json(cut)
    except InputError as error:
        return {"error": f"detail cannot be recorded: {error.message}"}
    return cut


def _bounded_value(value: Any) -> Any:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, dict):
        return {_text(str(key)): _bounded_value(item) for key, item in list(value.items())[:MAX_VALUES]}
    if isinstance(value, (list, tuple)):
        return [_bounded_value(item) for item in value[:MAX_VALUES]]
    return value


def _text(value: str) -> str:
    # A lone surrogate has no UTF-8 form, so no canonical JSON.
    whole = value.encode("utf-8", "replace").decode("utf-8")
    return whole if len(whole) <= MAX_TEXT_CHARS else whole[: MAX_TEXT_CHARS - 1] + "…"
