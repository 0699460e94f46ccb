"""What a reader of rights signals is: which kind it reads, and from what."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from services.ingest.signals.containers import EmbeddedMetadata
from services.ingest.signals.signal import Signal

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
        position: place among the signals of one carrier, in the order of which they are recorded.
        needs_url: whether the statement speaks of paths, so that only the image's URL tells if it applies.
    """

    kind: str
    carrier: CarrierKind
    read: Callable[[Carrier], Signal | None]
    position: int
    needs_url: bool = False
