"""Copies of a picture, and what the tables hold of its fingerprint."""

from typing import Any

import numpy as np
from PIL import Image
from sqlmodel import col, select

from services.ingest.registration.service import RegistrationOutcome, prepare_item, record_items
from shared.records.fingerprints import Fingerprint
from shared.workspace import Workspace
from tests.support.factories import encode, registration

SIDE_PX = 96
# EXIF orientation 6: the camera was turned, and a viewer turns the picture back, 90 degrees clockwise.
ORIENTATION_TAG, ORIENTATION_6 = 0x0112, 6


def detailed(seed: int) -> Image.Image:
    """A picture with something at every place: in a smooth one, what is little decides half of the hash."""
    coarse = np.random.default_rng(seed).integers(0, 256, size=(12, 12, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((SIDE_PX, SIDE_PX), Image.Resampling.BICUBIC)


def big_png(seed: int, **options: Any) -> bytes:
    """A PNG with enough in it for a perceptual hash."""
    return encode(detailed(seed), **options)


def noisy(image: Image.Image, levels: float = 4.0) -> Image.Image:
    """A picture with slight noise."""
    noise = np.random.default_rng(0).normal(0, levels, (image.height, image.width, 3))
    return Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))


def turned_jpeg(image: Image.Image) -> bytes:
    """A JPEG that is stored on its side, with the EXIF orientation that says so."""
    exif = Image.Exif()
    exif[ORIENTATION_TAG] = ORIENTATION_6
    return encode(image.transpose(Image.Transpose.ROTATE_90), "JPEG", quality=95, exif=exif)


def register_many(workspace: Workspace, files: dict[str, bytes]) -> dict[str, str]:
    """Register files in one transaction; the ids of their items by key."""
    prepared = [prepare_item(registration(key), data, workspace.blobs, workspace.limits) for key, data in files.items()]
    with workspace.writing() as session:
        recorded = record_items(session, prepared)
    workspace.log.integrate()
    return {key: one.item_id for key, one in zip(files, recorded, strict=True) if isinstance(one, RegistrationOutcome)}


def fingerprint_rows(workspace: Workspace) -> list[tuple[Any, ...]]:
    """All fingerprints but for their ids, in the order of their blobs."""
    with workspace.reading() as session:
        rows = session.exec(select(Fingerprint).order_by(col(Fingerprint.blob_sha256))).all()
    return [(row.blob_sha256, row.recipe, row.pixels_sha256, row.pdq, row.quality, row.failure) for row in rows]
