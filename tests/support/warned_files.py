"""Pictures that are read, and of which Pillow warns when it is left to itself."""

import io
import warnings

from PIL import Image

from tests.support.broken_images import broken_files
from tests.support.factories import encode, picture

# An EXIF block whose one field, the artist, states more bytes than the block has.
_EXIF = b"Exif\0\0II*\0\x08\0\0\0\x01\0" + b"\x3b\x01\x02\0\xff\0\0\0\x40\0\0\0" + bytes(4)


def warned_files() -> dict[str, bytes]:
    """Return such files by their names."""
    image = picture(1, 40)
    return {
        "exif.jpg": encode(image, "JPEG", exif=_EXIF),
        "exif.webp": encode(image, "WEBP", exif=_EXIF),
        "palette.png": encode(image.quantize(16), transparency=bytes(range(0, 160, 10))),
        "strips.tif": next(data for name, data in broken_files() if name == "tiff: part 3 too long"),
    }


def warns(data: bytes) -> bool:
    """Say whether Pillow warns of a file."""
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        image = Image.open(io.BytesIO(data))
        image.load()
        image.getexif()
        image.convert("RGB")
    return bool(shown)
