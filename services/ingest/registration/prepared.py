"""A registration checked: its bytes decoded under limits, its licence SPDX, its digests taken; nothing is stored yet."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from services.ingest.registration.schemas import Registration
from services.ingest.signals.read import read_image_signals
from services.ingest.signals.signal import Signal
from shared.canonical import canonical_json, sha256_hex
from shared.licences import parse_licence
from shared.vision.images import ImageLimits, decode_image

# A data set has few licences and many rows; parsing one takes as long as a fifth of all else that a row needs.
_known_licence = lru_cache(maxsize=256)(parse_licence)


@dataclass(frozen=True)
class BlobFacts:
    """What the record says of the encoded bytes."""

    sha256: str
    media_type: str
    size_bytes: int
    width_px: int
    height_px: int


@dataclass(frozen=True)
class PreparedItem:
    """A registration whose bytes and licence were found good, ready to be recorded."""

    registration: Registration
    blob: BlobFacts
    record_sha256: str
    licence: str
    signals: tuple[Signal, ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        """What names the item for ever: data set and key in its source."""
        return self.registration.dataset, self.registration.source_key


def check_item(
    registration: Registration, data: bytes, limits: ImageLimits, *, source_signals: Sequence[Signal] = ()
) -> PreparedItem:
    """Check a registration and its bytes; stores nothing.

    Args:
        registration: the record.
        data: the encoded image.
        limits: what an image may cost.
        source_signals: rights signals that came with the image, in HTTP headers say; those in the image are read here.

    Raises:
        InputError: the image or the licence cannot be accepted.
    """
    licence = _known_licence(registration.licence)
    image = decode_image(data, limits)
    blob = BlobFacts(sha256_hex(data), image.media_type, len(data), image.width_px, image.height_px)
    identity = {**registration.identity(), "licence": licence, "sha256": blob.sha256}
    signals = (*source_signals, *read_image_signals(data))
    return PreparedItem(registration, blob, sha256_hex(canonical_json(identity)), licence, signals)
