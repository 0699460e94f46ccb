"""A picture's file opened for decoding, and its frames decoded one by one; whatever a decoder raises is an `InputError`.

Rules, in order:

1. The content says which decoder reads a file, and it is the only one that does.
2. The structure of a file is checked before a decoder sees it (`file_structure`). Nothing is repaired in silence.
3. The sizes of a frame are checked before it is decoded. How often, and how much, is read from a file is bounded.
4. Errors, exhausted memory and endless recursion within a decoder are all damage of the file. Pillow's warnings are not shown.
5. A frame is what a viewer shows: upright (EXIF orientation), laid over the frames before it as the format says.
"""

import ctypes
import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from hashlib import shake_256
from typing import cast

from PIL import Image, ImageChops, UnidentifiedImageError, _imaging
from PIL.MpoImagePlugin import MpoImageFile

from shared.errors import InputError, SleeveError
from shared.vision.file_structure.damage import damaged
from shared.vision.file_structure.gif_blocks import check_gif
from shared.vision.file_structure.jpeg_scans import JpegScans, check_jpeg, hide_exif
from shared.vision.file_structure.png_chunks import check_png
from shared.vision.file_structure.webp_chunks import check_webp
from shared.vision.image_formats import GIF, JPEG, PNG, READ_NAMES, TIFF, WEBP, ImageFormat, recognise_image
from shared.vision.image_limits import ImageLimits
from shared.vision.orientation import find_turn

# Pillow warns of large pictures by a limit of its own. Here the size is checked against our limit before a pixel is decoded,
# so Pillow's is switched off.
Image.MAX_IMAGE_PIXELS = None

# Pillow reads a file block by block, in Python: 5 million empty segments, which 20 MB hold, took it 15 s. A PNG of 20 MB in
# the usual blocks of 8 kB takes three reads for each of 2,560.
MAX_READS = 200_000
# A decoder reads a file once, and an animation or a TIFF of several pages once a frame, with its tags. Tags that all point at
# the same bytes would otherwise fill any memory.
MAX_READINGS_PER_FRAME = 4
# libjpeg's own scripts make at most 10 scans (jcparam.c), optimisers some more. 100 of them over 50 million pixels took 1.2 s.
MAX_SCANS = 64
# Bytes a pixel that decoding takes at its peak, by Pillow's name: the decoder's own canvases, Pillow's copy (4), the
# flattened copy (4) and a turned one (4). Measured on 16 megapixels and rounded up.
BYTES_PER_PX = {"PNG": 18, "JPEG": 18, "WEBP": 26, "GIF": 20, "TIFF": 20, "BMP": 14, "AVIF": 26}

# One bits, stuffed: no Huffman code is all ones, so a decoder that lacks data makes nothing of them. 128 bits are more than
# libjpeg looks ahead, and less than a block takes. A decoder that has all blocks never looks at them.
_ONES = b"\xff\x00" * 16
# Bits without a pattern, and no marker among them. A decoder that lacks data makes coefficients of them. With bits of one kind
# it may come to nothing, as it does at a scan's end: of 347 visible cuts in all scans ones missed 8, and these none.
_FILLER = shake_256(b"filler").digest(256).replace(b"\xff", b"\xfe")
# Pillow switches off libtiff's warnings, and not its errors, which would go to standard error. What matters of them comes as a
# status. A build without this symbol prints them.
with suppress(AttributeError, OSError):
    ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler(None)
# Blocks in which Pillow holds pixels. Above 32 MiB, glibc gives each its own mapping and takes it back when it is freed.
# Smaller ones stay with the thread that decoded (ten threads, one after the other: 2,046 MiB instead of 603).
_imaging.set_block_size(64 * 2**20)
# The modules whose warnings are not shown.
_PILLOW = r"PIL\."


class EncodedImage:
    """A picture's file, checked and opened.

    Args:
        data: the encoded file.
        limits: what is accepted.

    Raises:
        InputError: too large, too small, damaged, or of no format that is read; the code says which.
    """

    def __init__(self, data: bytes, limits: ImageLimits) -> None:
        limits.check_bytes(len(data))
        self.format = _require_format(data)
        self._limits = limits
        self._scans: JpegScans | None = None
        self._gif_frames = 0
        self._data = self._check_structure(data)
        with guarded():
            self._file = _BoundedFile(self._data)
            self._opened = Image.open(self._file, formats=(self.format.decoder or "",))
        self.width_px, self.height_px = self._opened.size
        limits.check_size(*self._opened.size, self.format)

    def _check_structure(self, data: bytes) -> bytes:
        """Return what the decoder is to see of the file."""
        if self.format == PNG:
            return check_png(data)
        if self.format == GIF:
            self._gif_frames = check_gif(data)
        elif self.format == WEBP:
            width_px, height_px = check_webp(data)
            if width_px and height_px:
                self._limits.check_size(width_px, height_px, WEBP)
        elif self.format == JPEG:
            self._scans = check_jpeg(data, MAX_SCANS)
            return hide_exif(data, self._scans)
        return data

    @property
    def cost_bytes(self) -> int:
        """About how much memory decoding a frame takes."""
        return self.width_px * self.height_px * BYTES_PER_PX[self.format.decoder or ""] + 2 * len(self._data)

    @property
    def may_be_transparent(self) -> bool:
        """Whether its head says that it has transparency."""
        return self._opened.has_transparency_data

    @cached_property
    def frame_count(self) -> int:
        """How many pictures the file holds.

        Raises:
            InputError: it is damaged.
        """
        if self._gif_frames:
            return self._gif_frames
        with guarded():
            self._file.frames += 1
            return int(getattr(self._opened, "n_frames", 1))

    def load_frame(self, frame: int = 0) -> Image.Image:
        """Decode a frame; frames are asked for in their order.

        Args:
            frame: which, from 0.

        Returns:
            Upright, in the file's own mode.

        Raises:
            InputError: it is truncated, damaged or too large.
        """
        if isinstance(self._opened, MpoImageFile) and frame > 0:
            return self._load_further_jpeg(frame)
        if self._scans is not None:
            return self._load_jpeg()
        with guarded():
            if frame > 0:
                self._file.frames += 1
                self._opened.seek(frame)
                self._limits.check_size(*self._opened.size, self.format)
            return _load_upright(self._opened)

    def _load_jpeg(self) -> Image.Image:
        scans = cast("JpegScans", self._scans)
        end = cast("int", scans.end)
        if not scans.is_single:
            with guarded():
                upright = _load_upright(self._opened, scans.exif)
            self._check_scan_lengths(upright, scans)
            return upright
        with guarded():
            # Decoded without its end: of a scan that was cut short, libjpeg would fill in the rest.
            return _load_upright(_open(self._data[:end] + _ONES, JPEG), scans.exif)

    def _check_scan_lengths(self, upright: Image.Image, scans: JpegScans) -> None:
        """Refuse a picture that looks otherwise where something follows its scans: one of them was cut short.

        It is decoded a second time for that. 49 megapixels of noise in 10 scans took 1.6 s of processor time instead of 0.8.
        """
        begins = [0, *scans.ends]
        parts = [self._data[begin:end] for begin, end in zip(begins, scans.ends, strict=False)]
        with guarded():
            other = _load_upright(_open(_FILLER.join([*parts, self._data[scans.ends[-1] :]]), JPEG), scans.exif)
            if ImageChops.difference(upright, other).getbbox() is not None:
                raise damaged("a scan ends before its last block")

    def _load_further_jpeg(self, frame: int) -> Image.Image:
        """Decode a further picture of a JPEG (CIPA DC-007): a JPEG of its own."""
        with guarded():
            opened = cast("MpoImageFile", self._opened)
            opened.seek(frame)
            start = opened.offset
        further = EncodedImage(self._data[start:], self._limits)
        picture = further.load_frame()
        # Where it says nothing itself, it is turned as the first one.
        first = cast("JpegScans", self._scans).exif
        turn = None if cast("JpegScans", further._scans).exif else find_turn({}, first)
        return picture if turn is None else picture.transpose(turn)


def _require_format(data: bytes) -> ImageFormat:
    image_format = recognise_image(data)
    if image_format is None:
        expected = READ_NAMES.replace(" and ", " or ")
        raise InputError(f"expected a {expected} image, got bytes that are none", code="not_an_image")
    if not image_format.is_read:
        raise InputError(f"this is a {image_format.name} image; {READ_NAMES} are read", code="image_format_unsupported")
    return image_format


class _BoundedFile(io.BytesIO):
    """A file in memory that may be read from only so often, and only so much."""

    _reads = 0
    _read_bytes = 0
    frames = 1

    def read(self, size: int | None = -1, /) -> bytes:
        self._reads += 1
        if self._reads > MAX_READS:
            raise damaged(f"too many blocks, expected at most {MAX_READS:,} reads")
        data = super().read(size)
        self._read_bytes += len(data)
        if self._read_bytes > MAX_READINGS_PER_FRAME * self.frames * self.getbuffer().nbytes + 2**16:
            raise damaged("its parts overlap: the same bytes are read again and again")
        return data


def _open(data: bytes, image_format: ImageFormat) -> Image.Image:
    return Image.open(_BoundedFile(data), formats=(image_format.decoder or "",))


def _load_upright(opened: Image.Image, exif: bytes | None = None) -> Image.Image:
    opened.load()
    # Pillow turns a TIFF as it decodes it.
    turn = None if opened.format == TIFF.decoder else find_turn(opened.info, exif)
    return opened if turn is None else opened.transpose(turn)


@contextmanager
def guarded() -> Iterator[None]:
    """Turn whatever a decoder raises of strange bytes into an `InputError` (rule 4)."""
    silence_pillow()
    try:
        yield
    except SleeveError:
        raise
    except MemoryError as error:
        raise InputError("image takes more memory to decode than there is", code="image_too_much_memory") from error
    except UnidentifiedImageError as error:
        raise damaged("its decoder cannot read it") from error
    except Exception as error:  # Decoders state no list of what they raise of strange bytes.
        raise damaged(str(error) or type(error).__name__) from error


def silence_pillow() -> None:
    """Keep Pillow's warnings about strange bytes from being shown; what matters of them is in our errors."""
    if not any(
        action == "ignore" and getattr(module, "pattern", None) == _PILLOW for action, _, _, module, _ in warnings.filters
    ):
        warnings.filterwarnings("ignore", module=_PILLOW)
