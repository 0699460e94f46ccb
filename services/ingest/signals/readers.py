"""Every reader of a rights signal: the table that says which kinds are read, and from what.

A new kind of signal is a row here; docs/extending/rights-signal.md says what else it takes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from services.ingest.signals.c2pa import read_c2pa
from services.ingest.signals.containers import EmbeddedMetadata
from services.ingest.signals.content_usage import read_content_signal, read_content_usage_header, read_content_usage_rules
from services.ingest.signals.robots_txt import read_robots_txt
from services.ingest.signals.rsl import read_rsl
from services.ingest.signals.signal import Signal
from services.ingest.signals.tdmrep import read_tdmrep_file, read_tdmrep_headers, read_tdmrep_meta
from services.ingest.signals.x_robots_tag import read_robots_meta, read_x_robots_tag
from services.ingest.signals.xmp_plus import read_xmp_plus

CarrierKind = Literal["image", "headers", "tdmrep.json", "robots.txt", "page"]


@dataclass(frozen=True)
class Carrier:
    """What may carry statements, and what they are judged by.

    Args:
        raw: the bytes of an image, a page or a file.
        headers: the fields of a response, a repeated field repeated.
        url: where the image was acquired.
        user_agent: the crawler that acquired it, as in its `User-Agent` header.
        trust_anchors_pem: certificates that C2PA signers must chain to in order to count as trusted.
        metadata: what `find_metadata` took out of an image; looked for where not given.
    """

    raw: bytes = b""
    headers: Sequence[tuple[str, str]] = ()
    url: str = ""
    user_agent: str = ""
    trust_anchors_pem: str | None = None
    metadata: EmbeddedMetadata | None = None


@dataclass(frozen=True)
class SignalReader:
    """Reads one kind of signal.

    Args:
        kind: its name on record.
        carrier: what it is read from.
        read: returns the signal, or None where the carrier makes no such statement.
        needs_url: whether the statement speaks of paths, so that only the image's URL tells if it applies.
    """

    kind: str
    carrier: CarrierKind
    read: Callable[[Carrier], Signal | None]
    needs_url: bool = False


# In the order in which signals of one carrier are recorded.
READERS: tuple[SignalReader, ...] = (
    SignalReader(
        "c2pa-training-mining", "image", lambda carrier: read_c2pa(carrier.raw, carrier.trust_anchors_pem, carrier.metadata)
    ),
    SignalReader("xmp-plus-data-mining", "image", lambda carrier: read_xmp_plus(carrier.raw, carrier.metadata)),
    SignalReader("tdmrep-header", "headers", lambda carrier: read_tdmrep_headers(carrier.headers)),
    SignalReader("x-robots-tag", "headers", lambda carrier: read_x_robots_tag(carrier.headers, carrier.user_agent)),
    SignalReader("content-usage-header", "headers", lambda carrier: read_content_usage_header(carrier.headers)),
    SignalReader("tdmrep-file", "tdmrep.json", lambda carrier: read_tdmrep_file(carrier.raw, carrier.url), needs_url=True),
    SignalReader(
        "robots-txt",
        "robots.txt",
        lambda carrier: read_robots_txt(carrier.raw, carrier.url, carrier.user_agent),
        needs_url=True,
    ),
    SignalReader(
        "content-usage-robots",
        "robots.txt",
        lambda carrier: read_content_usage_rules(carrier.raw, carrier.url, carrier.user_agent),
        needs_url=True,
    ),
    SignalReader(
        "content-signal",
        "robots.txt",
        lambda carrier: read_content_signal(carrier.raw, carrier.url, carrier.user_agent),
        needs_url=True,
    ),
    SignalReader("rsl-license", "robots.txt", lambda carrier: read_rsl(carrier.raw)),
    SignalReader("tdmrep-meta", "page", lambda carrier: read_tdmrep_meta(carrier.raw)),
    SignalReader("robots-meta", "page", lambda carrier: read_robots_meta(carrier.raw, carrier.user_agent)),
)


def find_reader(kind: str) -> SignalReader | None:
    """Return the reader of a kind; None where there is none."""
    return next((reader for reader in READERS if reader.kind == kind), None)


def read_signals(carrier_kind: CarrierKind, carrier: Carrier) -> list[Signal]:
    """Ask every reader of a carrier; each answers for itself, so one that fails hides no other."""
    signals = (reader.read(carrier) for reader in READERS if reader.carrier == carrier_kind)
    return [signal for signal in signals if signal is not None]
