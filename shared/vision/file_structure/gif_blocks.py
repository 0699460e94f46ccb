"""The blocks of a GIF: followed to the trailer, which a file that was cut off does not have.

Source: GIF89a specification, sections 15 to 27.
"""

from shared.vision.file_structure.damage import damaged

# Blocks of 255 bytes; 20 MiB in full ones are 82,000.
MAX_BLOCKS = 200_000
_EXTENSION, _PICTURE, _TRAILER = 0x21, 0x2C, 0x3B


def check_gif(data: bytes) -> int:
    """Check that a GIF has a picture and ends with its trailer.

    Args:
        data: the encoded file, beginning with its signature.

    Returns:
        How many pictures it has.

    Raises:
        InputError: it ends earlier, or holds something else.
    """
    at = 13 + _table_bytes(data[10:11])
    pictures, blocks = 0, 0
    while at < len(data):
        kind = data[at]
        if kind == _TRAILER:
            if not pictures:
                raise damaged("it has no picture")
            return pictures
        if kind == _PICTURE:
            pictures += 1
            at += 11 + _table_bytes(data[at + 9 : at + 10])
        elif kind == _EXTENSION:
            at += 2
        else:
            raise damaged("something that is no GIF block")
        while at < len(data) and data[at]:
            at += 1 + data[at]
            blocks += 1
            if blocks > MAX_BLOCKS:
                raise damaged(f"too many blocks, expected at most {MAX_BLOCKS:,}")
        at += 1
    raise damaged("the file ends before its trailer")


def _table_bytes(flags: bytes) -> int:
    """Return the length of the colour table that packed flags announce."""
    return 3 << ((flags[0] & 7) + 1) if flags and flags[0] & 0x80 else 0
