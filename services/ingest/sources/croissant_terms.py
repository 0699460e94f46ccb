"""The JSON-LD of a Croissant description in plain words: no prefixes, objects and texts where one or many may stand."""

from collections.abc import Mapping
from typing import Any

from shared.errors import InputError

PREFIXES = ("cr:", "sc:", "dct:", "http://mlcommons.org/croissant/", "https://schema.org/", "http://schema.org/")


def invalid(message: str) -> InputError:
    """Build the error of a description that does not hold."""
    return InputError(message, code="croissant_invalid")


def unsupported(construct: str) -> InputError:
    """Build the error of a construct that is not read."""
    return InputError(
        f"Croissant construct not supported: {construct}; expected image files or one table", code="croissant_unsupported"
    )


def plain(value: Any) -> Any:
    """Drop the prefixes of the standard context from every key."""
    if isinstance(value, dict):
        return {local_name(key): plain(part) for key, part in value.items()}
    return [plain(part) for part in value] if isinstance(value, list) else value


def local_name(name: str) -> str:
    """Drop the prefix of a name.

    >>> local_name("sc:ImageObject")
    'ImageObject'
    """
    prefix = next((prefix for prefix in PREFIXES if name.startswith(prefix)), "")
    return name.removeprefix(prefix)


def objects(parent: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """Read one or many objects.

    Raises:
        InputError: something else stands there.
    """
    value = parent.get(key, [])
    parts = value if isinstance(value, list) else [value]
    if not all(isinstance(part, dict) for part in parts):
        raise invalid(f"{key}: expected objects, got {type(parts[0]).__name__}")
    return parts


def texts(value: Any) -> list[str]:
    """Read one or many texts, URLs, or objects with an `@id` or `url`."""
    values = value if isinstance(value, list) else [value]
    names = (part.get("@id") or part.get("url") if isinstance(part, dict) else part for part in values)
    return [part for part in names if isinstance(part, str) and part]
