"""All signals at once: of an image, of the exchange that brought it, of a page that shows it.

Rules, in order:

1. Every reader of the registry is asked; each answers for itself, so one that fails hides no other.
2. All signals of one reading carry one time.
3. One cause is reported once: where robots.txt cannot be read, the reader for robots.txt says so.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from services.ingest.signals.containers import EmbeddedMetadata, find_metadata
from services.ingest.signals.embedded_metadata import OwnerSuggestion, suggest_owners
from services.ingest.signals.registry import read_signals
from services.ingest.signals.signal import Signal
from services.ingest.signals.signal_reader import Carrier
from shared.clock import utc_now

Headers = Mapping[str, str] | Sequence[tuple[str, str]]


@dataclass(frozen=True)
class ImageStatements:
    """What an image says in itself: of training, and of who owns it."""

    signals: tuple[Signal, ...]
    suggestions: tuple[OwnerSuggestion, ...]


def read_image(data: bytes, *, trust_anchors_pem: str | None = None) -> ImageStatements:
    """Read all that an image says in itself, looking for its metadata once.

    Args:
        data: the encoded file, of any content.
        trust_anchors_pem: as for `read_image_signals`.
    """
    metadata = find_metadata(data)
    signals = read_image_signals(data, trust_anchors_pem=trust_anchors_pem, metadata=metadata)
    return ImageStatements(tuple(signals), tuple(suggest_owners(data, metadata)))


def read_image_signals(
    data: bytes,
    *,
    trust_anchors_pem: str | None = None,
    observed_at: datetime | None = None,
    metadata: EmbeddedMetadata | None = None,
) -> list[Signal]:
    """Read the signals that an image carries in itself.

    Args:
        data: the encoded file, of any content.
        trust_anchors_pem: certificates that C2PA signers must chain to in order to count as trusted.
        observed_at: when the image was acquired; now where not given.
        metadata: what `find_metadata` took out of it; looked for where not given.

    Returns:
        What was found, in a fixed order; empty where the image says nothing.
    """
    metadata = find_metadata(data) if metadata is None else metadata
    carrier = Carrier(data, trust_anchors_pem=trust_anchors_pem, metadata=metadata)
    return _stamped(read_signals("image", carrier), observed_at)


def read_http_signals(
    url: str,
    headers: Headers,
    robots_txt: bytes | None,
    tdmrep_json: bytes | None,
    user_agent: str,
    *,
    observed_at: datetime | None = None,
) -> list[Signal]:
    """Read the signals of the exchange that brought an image.

    Args:
        url: where it was acquired.
        headers: the response's fields; pairs keep repeated fields apart, which `X-Robots-Tag` needs.
        robots_txt: the origin's file as received; None where it has none.
        tdmrep_json: the origin's `/.well-known/tdmrep.json` as received; None where it has none.
        user_agent: the crawler that acquired it, as in its `User-Agent` header.
        observed_at: when; now where not given.

    Returns:
        What was found, in a fixed order; empty where nothing speaks of training.
    """
    pairs = list(headers.items()) if isinstance(headers, Mapping) else list(headers)
    signals = read_signals("headers", Carrier(headers=pairs, url=url, user_agent=user_agent))
    if tdmrep_json is not None:
        signals += read_signals("tdmrep.json", Carrier(tdmrep_json, url=url, user_agent=user_agent))
    if robots_txt is not None:
        signals += _read_robots_signals(Carrier(robots_txt, url=url, user_agent=user_agent))
    return _stamped(signals, observed_at)


def read_page_signals(html: bytes, user_agent: str, *, observed_at: datetime | None = None) -> list[Signal]:
    """Read the signals in the meta elements of a page that shows an image.

    Args:
        html: the page as received.
        user_agent: the crawler that acquired it.
        observed_at: when; now where not given.
    """
    return _stamped(read_signals("page", Carrier(html, user_agent=user_agent)), observed_at)


def _read_robots_signals(carrier: Carrier) -> list[Signal]:
    signals = read_signals("robots.txt", carrier)
    unreadable = [signal for signal in signals if signal.kind == "robots-txt" and signal.verdict == "unknown"]
    return unreadable or signals


def _stamped(signals: Iterable[Signal], observed_at: datetime | None) -> list[Signal]:
    moment = observed_at or utc_now()
    return [replace(signal, observed_at=moment) for signal in signals]
