"""What an image may cost, as the settings state it; messages name the setting that a limit comes from."""

from dataclasses import dataclass

from shared.errors import InputError
from shared.settings import Settings
from shared.vision.image_formats import WEBP, ImageFormat

# Pillow decodes WebP on the canvases of an animation, also where there is none: beside the picture it holds two canvases and
# a copy of the frame, 16 bytes a pixel. So that a gigabyte is enough, a WebP may have this share of the pixels.
WEBP_SHARE_OF_PX = 0.8
DEFAULT_MAX_FRAMES = 64
DEFAULT_MEMORY_BYTES = 2**30


@dataclass(frozen=True)
class ImageLimits:
    """What an image may cost: bytes encoded, pixels decoded, and its smallest side in pixels.

    `max_frames` pictures of one file are judged, and all of them together have at most twice `max_px`. `memory_bytes` is what
    all decoding at once may take in this process. `trust_anchors_pem` are the certificates that signers of its C2PA manifest
    must chain to in order to count as trusted.
    """

    max_bytes: int
    max_px: int
    min_side_px: int
    trust_anchors_pem: str | None = None
    max_frames: int = DEFAULT_MAX_FRAMES
    memory_bytes: int = DEFAULT_MEMORY_BYTES

    def check_bytes(self, size_bytes: int) -> None:
        """Refuse a file that is too large.

        Raises:
            InputError: it is.
        """
        if size_bytes > self.max_bytes:
            raise InputError(
                f"image file too large: expected at most {self.max_bytes:,} bytes (SLEEVE_MAX_IMAGE_BYTES), "
                f"got {size_bytes:,}",
                code="image_too_large",
            )

    def check_size(self, width_px: int, height_px: int, image_format: ImageFormat) -> None:
        """Refuse a picture that is too large or too small.

        Raises:
            InputError: it is.
        """
        max_px = int(self.max_px * WEBP_SHARE_OF_PX) if image_format == WEBP else self.max_px
        if width_px * height_px > max_px:
            raise InputError(
                f"image has too many pixels: expected at most {max_px:,} (SLEEVE_MAX_IMAGE_PX), got {width_px}×{height_px}",
                code="image_too_many_pixels",
            )
        if min(width_px, height_px) < self.min_side_px:
            raise InputError(
                f"image too small: expected sides of at least {self.min_side_px} px (SLEEVE_MIN_IMAGE_SIDE_PX), "
                f"got {width_px}×{height_px}",
                code="image_too_small",
            )

    def check_frames(self, count: int, frame_px: int) -> None:
        """Refuse a file of too many pictures.

        Raises:
            InputError: it has.
        """
        if count > self.max_frames:
            raise InputError(
                f"image has too many frames: expected at most {self.max_frames} (SLEEVE_MAX_IMAGE_FRAMES), got {count:,}",
                code="image_too_many_frames",
            )
        if count > 1 and count * frame_px > 2 * self.max_px:
            raise InputError(
                f"image has too many pixels: expected at most {2 * self.max_px:,} in all frames (twice SLEEVE_MAX_IMAGE_PX), "
                f"got {count * frame_px:,}",
                code="image_too_many_pixels",
            )


def image_limits(settings: Settings) -> ImageLimits:
    """Return the limits that the settings state."""
    return ImageLimits(
        settings.max_image_bytes,
        settings.max_image_px,
        settings.min_image_side_px,
        max_frames=settings.max_image_frames,
        memory_bytes=settings.decode_memory_bytes,
    )
