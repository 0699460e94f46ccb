"""A registration checked: its bytes decoded under limits, its licence SPDX, its digests taken; nothing is stored yet."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from services.ingest.items.schemas import Registration
from services.ingest.registration.embedded_owners import with_embedded_owners
from services.ingest.signals.embedded_metadata import OwnerSuggestion
from services.ingest.signals.read import read_image
from services.ingest.signals.signal import Signal
from shared.canonical import canonical_json, sha256_hex
from shared.errors import InputError
from shared.licences import parse_licence
from shared.vision.image_decoding import inspect_image
from shared.vision.image_limits import ImageLimits

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
    # Where the file has more than one; None also where nobody counted, as in records of earlier versions.
    frames: int | None = None


@dataclass(frozen=True)
class EarlierForm:
    """How an earlier reading of the same source registered a row: its key, and its record, made when it is asked for."""

    key: str
    read: Callable[[], Registration]


@dataclass(frozen=True)
class PreparedItem:
    """A registration whose bytes and licence were found good, ready to be recorded.

    `registration` has whom the image's metadata names beside whom it was given; `record_sha256` is of what was given.
    `earlier` is the form in which the same row may be registered already. `spare_key` names the item where its key stands for
    other bytes.
    """

    registration: Registration
    blob: BlobFacts
    record_sha256: str
    licence: str
    signals: tuple[Signal, ...] = ()
    suggestions: tuple[OwnerSuggestion, ...] = ()
    given: Registration | None = None
    earlier: EarlierForm | None = None
    spare_key: str | None = None

    @property
    def key(self) -> tuple[str, str]:
        """What names the item for ever: data set and key in its source."""
        return self.registration.dataset, self.registration.source_key

    @property
    def keys(self) -> list[tuple[str, str]]:
        """The keys under which it may be recorded already, its own first."""
        names = (self.registration.source_key, self.earlier.key if self.earlier is not None else None, self.spare_key)
        return [(self.registration.dataset, name) for name in dict.fromkeys(names) if name]

    def in_earlier_form(self) -> "PreparedItem | None":
        """Return the item as the earlier reading has it; None where there is none, or where it would have been refused."""
        if self.earlier is None:
            return None
        try:
            registration = self.earlier.read()
            licence = _known_licence(registration.licence)
            return replace(self, registration=registration, record_sha256=_digest(registration, licence, self.blob.sha256))
        except InputError:
            return None

    def under_spare_key(self) -> "PreparedItem | None":
        """Return the item under its spare key; None where it has none."""
        if self.spare_key is None or self.given is None:
            return None
        given = self.given.model_copy(update={"source_key": self.spare_key})
        registration = self.registration.model_copy(update={"source_key": self.spare_key})
        digest = _digest(given, self.licence, self.blob.sha256)
        return replace(self, registration=registration, record_sha256=digest, given=given)


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
    _known_licence(registration.licence)  # quicker to refuse than an image
    image = inspect_image(data, limits)
    frames = image.frames if image.frames > 1 else None
    blob = BlobFacts(sha256_hex(data), image.media_type, len(data), image.width_px, image.height_px, frames)
    statements = read_image(data, trust_anchors_pem=limits.trust_anchors_pem)
    return prepare_record(registration, blob, (*source_signals, *statements.signals), statements.suggestions)


def prepare_record(
    registration: Registration, blob: BlobFacts, signals: Sequence[Signal], suggestions: Sequence[OwnerSuggestion] = ()
) -> PreparedItem:
    """Check a registration of bytes that are known to be good.

    Args:
        registration: the record.
        blob: the facts of its bytes.
        signals: rights signals in the image and those that came with it.
        suggestions: owners that the image's metadata names.

    Raises:
        InputError: the licence cannot be accepted, or the record has no canonical form.
    """
    licence = _known_licence(registration.licence)
    digest = _digest(registration, licence, blob.sha256)
    record = with_embedded_owners(registration, suggestions)
    return PreparedItem(record, blob, digest, licence, tuple(signals), tuple(suggestions), registration)


def _digest(registration: Registration, licence: str, blob_sha256: str) -> str:
    return sha256_hex(canonical_json({**registration.identity(), "licence": licence, "sha256": blob_sha256}))
