"""Admission of a generation to a check: decoded, described, and bound to the slot that its check fills.

Rules, in order:

1. A slot is an Idempotency-Key, or a place of a batch. It holds one check at most. `find_check` is asked before the work;
   `fill` is called in the transaction that records the check, and refuses a second one.
2. Whoever is refused takes the check that fills the slot for its own.
3. Every way in which the file is shown is admitted: each frame, and transparency over each background. What looks the same, in
   the model's view and whole, is one. A further way that is a single colour shows nothing and is left out.
4. Of the decoded pictures only views and whole pictures at comparison size are kept, and the fingerprint of the first.

`shared.idempotency.once` runs one act in one transaction. A check does its work before its transaction, and many generations
share that transaction. So slots are asked and filled here, one by one; the key's table and its rules are the same.
"""

from contextlib import closing
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from PIL.Image import Image
from sqlmodel import Session

from services.output_gate.checks.timings import Timings
from services.output_gate.gate import Gate, view_recipe
from shared.canonical import canonical_json, sha256_hex
from shared.errors import ConflictError, InputError
from shared.matching.whole_picture.local_features import ComparisonSize, show_in_channels
from shared.records.batches import BatchedCheck, save_outcome
from shared.records.checks import Check, load_check
from shared.records.idempotency import bind_effect, find_effect
from shared.records.models import Model
from shared.records.outputs import Output
from shared.vision.fingerprints import RECIPE, ImageFingerprint, build_fingerprint
from shared.vision.image_decoding import Background, decode_variants
from shared.vision.views import Pixels, build_view

OPERATION = "checks.create"


class AlreadyDecidedError(ConflictError):
    """The slot is filled: the check that fills it is to be used."""

    code = "already_decided"


class Slot(Protocol):
    """What holds one check at most."""

    def find_check(self, session: Session) -> str | None:
        """Return the id of the check that fills the slot, if one does."""
        ...

    def fill(self, session: Session, check_id: str) -> None:
        """Fill the slot in the caller's transaction.

        Raises:
            AlreadyDecidedError: another check fills it.
        """
        ...


@dataclass(frozen=True)
class KeySlot:
    """The slot of an Idempotency-Key and of the request's digest; without a key every request has a slot of its own."""

    key: str | None
    request_sha256: str

    @classmethod
    def for_image(cls, key: str | None, model: Model, data: bytes) -> "KeySlot":
        """Return the slot of a request that asks for a check of one image."""
        return cls(key, sha256_hex(canonical_json({"model": model.id, "image": sha256_hex(data)})))

    def find_check(self, session: Session) -> str | None:
        """Return the id of the check that this key made before.

        Raises:
            ConflictError: the key was used for another request.
        """
        return find_effect(session, OPERATION, self.key, self.request_sha256)

    def fill(self, session: Session, check_id: str) -> None:
        """Bind the key to its check; a second check fails on the primary key."""
        bind_effect(session, OPERATION, self.key, self.request_sha256, check_id)


@dataclass(frozen=True)
class PlaceSlot:
    """A place of a batch."""

    batch_id: str
    position: int

    def find_check(self, session: Session) -> str | None:
        """Return the id of the check that stands at this place."""
        place = session.get(BatchedCheck, (self.batch_id, self.position))
        return None if place is None else place.check_id

    def fill(self, session: Session, check_id: str) -> None:
        """Put the check at its place.

        Raises:
            AlreadyDecidedError: something stands there.
        """
        if not save_outcome(session, self.batch_id, self.position, check_id=check_id):
            raise AlreadyDecidedError(f"place {self.position} of batch {self.batch_id} has an outcome already")


@dataclass(frozen=True)
class Generation:
    """A generation that is to be decided about.

    Attributes:
        data: the encoded image.
        views: uint8 (V, C, H, W), by its model's recipe: all ways in which it is shown that differ, the first frame over white
            first.
        pictures: of each view the whole picture, RGB, at comparison size, in the colours that the model has.
        sources: of each view the frame, from 0, and the background that it shows.
        is_single: whether the file has one frame and no transparency.
        output: its fingerprint, for the registry of outputs.
        slot: what its check fills.
        timings: of its steps so far.
    """

    data: bytes
    views: Pixels
    pictures: tuple[Image, ...]
    sources: tuple[tuple[int, Background], ...]
    is_single: bool
    output: Output
    slot: Slot
    timings: Timings


def admit(gate: Gate, model: Model, data: bytes, slot: Slot) -> Generation | Check:
    """Admit a generation; where its slot is filled, return the check that fills it.

    Raises:
        InputError: the bytes cannot be accepted.
        ConflictError: the slot's key was used for another request.
    """
    timings = Timings()
    shown = _decode(gate, model, data, timings)
    earlier = find_earlier_check(gate, slot)
    if earlier is not None:
        return earlier
    views, pictures, sources = zip(*shown.views.values(), strict=True)
    output = _build_output(data, shown.fingerprint)
    return Generation(data, np.stack(views), pictures, sources, shown.count == 1, output, slot, timings)


@dataclass
class _Shown:
    """The ways in which a file is shown: the fingerprint of the first, how many there are, and those that differ."""

    fingerprint: ImageFingerprint
    count: int
    views: dict[bytes, tuple[Pixels, Image, tuple[int, Background]]]


def _decode(gate: Gate, model: Model, data: bytes, timings: Timings) -> _Shown:
    recipe, size, shown = view_recipe(model), ComparisonSize(gate.workspace.settings.comparison_px), None
    with closing(decode_variants(data, gate.workspace.limits)) as variants:
        while True:
            with timings.step("decode"):
                variant = next(variants, None)
                if variant is None:
                    break
                view = build_view(variant.pixels, recipe)
                picture = show_in_channels(size.resize(variant.pixels), recipe.channels)
            if shown is None:
                with timings.step("fingerprint"):
                    shown = _Shown(build_fingerprint(variant.pixels), 0, {})
            shown.count += 1
            if not shown.views or not _is_flat(picture):
                key = view.tobytes() + picture.tobytes()
                shown.views.setdefault(key, (view, picture, (variant.frame, variant.background)))
    if shown is None:
        raise InputError("image is truncated or damaged: it has no frame", code="image_damaged")
    return shown


def _is_flat(picture: Image) -> bool:
    """Say whether a picture is of a single colour."""
    pixels = np.asarray(picture)
    return bool((pixels == pixels[:1, :1]).all())


def _build_output(data: bytes, fingerprint: ImageFingerprint) -> Output:
    return Output(
        generation_sha256=sha256_hex(data),
        recipe=RECIPE,
        pixels_sha256=fingerprint.pixels_sha256,
        pdq=fingerprint.hash.value,
        quality=fingerprint.hash.quality,
    )


def find_earlier_check(gate: Gate, slot: Slot) -> Check | None:
    """Return the check that fills a slot, if one does.

    Raises:
        ConflictError: the slot's key was used for another request.
    """
    with gate.workspace.reading() as session:
        check_id = slot.find_check(session)
        return None if check_id is None else load_check(session, check_id)
