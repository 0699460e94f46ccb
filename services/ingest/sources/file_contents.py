"""What a file of a source is, by its content and not by its name.

Rules, in order:

1. A picture is what `recognise_image` knows, also of a format that is not read: its row says so.
2. A file whose name ends as a picture's and whose content is none was meant as one, and is refused as such.
3. An archive or a table may hold pictures. One that a source does not read is refused, so that nothing in it goes unread.
4. Everything else is no picture, and no fault.
"""

from typing import Literal

from shared.vision.image_formats import recognise_image

FileContent = Literal["picture", "damaged picture", "archive", "other"]

PICTURE_SUFFIXES = frozenset(
    ".png .jpg .jpeg .jpe .jfif .jif .webp .gif .tif .tiff .bmp .avif .heic .heif .jp2 .j2k .jpf .jxl .apng".split()  # noqa: SIM905
)
# Documents that `recognise_image` knows too, and in which nobody keeps a data set's pictures.
_DOCUMENTS = frozenset({"PDF", "PostScript"})
# Signatures of archives: zip, gzip, 7z, rar, zstandard, xz, bzip2. Of tables with bytes in them: Parquet, Arrow's file form.
_PACKED = (b"PK\x03\x04", b"\x1f\x8b", b"7z\xbc\xaf\x27\x1c", b"Rar!", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ", b"BZh")
_ARCHIVES = (*_PACKED, b"PAR1", b"ARROW1")
_TAR_AT = 257


def judge_content(name: str, head: bytes) -> FileContent:
    """Say what a file is.

    Args:
        name: its path.
        head: its first 512 bytes.

    >>> judge_content("a", b"GIF89a"), judge_content("a.png", b"words"), judge_content("README.md", b"# words")
    ('picture', 'damaged picture', 'other')
    """
    image_format = recognise_image(head)
    if image_format is not None and image_format.name not in _DOCUMENTS:
        return "picture"
    file_name = name.rpartition("/")[2].lower()
    # Names that begin with a dot are a system's own: macOS keeps the attributes of a.png in ._a.png.
    if not file_name.startswith(".") and any(file_name.endswith(suffix) for suffix in PICTURE_SUFFIXES):
        return "damaged picture"
    if head.startswith(_ARCHIVES) or head[_TAR_AT : _TAR_AT + 5] == b"ustar":
        return "archive"
    return "other"
