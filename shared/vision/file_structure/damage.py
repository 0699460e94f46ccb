"""How damage of a picture's file is reported: one code, and the cause by name."""

from shared.errors import InputError


def damaged(cause: str) -> InputError:
    """Build the error of a file that is not whole; the cause completes "image is truncated or damaged"."""
    return InputError(f"image is truncated or damaged: {cause}", code="image_damaged")
