"""Fingerprints of pixels: equal for equal canonical pixels only, and the same on every machine."""

import hashlib
import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageOps

from shared.settings import Settings
from shared.vision.fingerprints import RECIPE, build_fingerprint, digest_pixels
from shared.vision.image_decoding import decode_image
from shared.vision.image_limits import image_limits
from tests.support.factories import encode, picture
from tests.unit.services.ingest.search.copies import turned_jpeg

LIMITS = image_limits(Settings())


def digest(data: bytes) -> str:
    return digest_pixels(decode_image(data, LIMITS).pixels)


def test_a_version_of_the_recipe_means_these_digests() -> None:
    # Whoever changes what is digested or hashed makes a new version, and with it new fingerprints of every blob.
    rows, columns = np.mgrid[0:300, 0:40]
    pixels = np.stack([rows * 7 % 256, columns * 6, (rows + columns * 5) % 256], axis=2).astype(np.uint8)
    fingerprint = build_fingerprint(Image.fromarray(pixels))
    expected = hashlib.sha256(b"sleeve pixels 1\n" + struct.pack(">II", 40, 300) + pixels.tobytes()).hexdigest()
    assert (RECIPE, fingerprint.pixels_sha256) == (1, expected)
    pinned = bytes.fromhex("a95583f5fe0400fff5a8452a556ad7c8001ffff000a7ebadaaa9aa83fffe0000")
    # The hash is computed in floating point: another processor may round a bit or two the other way.
    assert (int.from_bytes(pinned) ^ int.from_bytes(fingerprint.hash.value)).bit_count() <= 4


@pytest.mark.parametrize("height_px", [255, 256, 257, 600])
def test_every_row_counts(height_px: int) -> None:
    image = picture(1, 600).crop((0, 0, 20, height_px))
    changed = image.copy()
    changed.putpixel((19, height_px - 1), (1, 2, 3))
    assert digest_pixels(image) == digest_pixels(image.copy())
    assert digest_pixels(image) != digest_pixels(changed)


def test_the_file_format_does_not_count() -> None:
    image = picture(1)
    files = [encode(image), encode(image, compress_level=0), encode(image, "WEBP", lossless=True)]
    assert len(set(files)) == 3
    assert len({digest(data) for data in files}) == 1
    assert digest(encode(image, "JPEG")) != digest(files[0])


def test_a_turned_picture_is_the_upright_one() -> None:
    turned = turned_jpeg(picture(1, 40).crop((0, 0, 40, 24)))
    with Image.open(io.BytesIO(turned)) as opened:
        upright = ImageOps.exif_transpose(opened).convert("RGB")
    assert upright.size == (40, 24)
    assert digest(turned) == digest(encode(upright))


def test_transparency_is_white() -> None:
    over = picture(1).convert("RGBA")
    over.putalpha(0)
    assert digest(encode(over)) == digest(encode(Image.new("RGB", over.size, "white")))
