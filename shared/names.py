"""Names that people give to manifests and models, and that folders are called by."""

import re

from shared.errors import InputError

# One path segment on every file system, at most 100 characters, never hidden, never "..".
NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,98}[a-z0-9])?")


def check_name(name: str) -> str:
    """Return the name, if it may be given.

    Raises:
        InputError: it has other characters than a–z, 0–9, dot, dash and underscore, or is too long.

    >>> check_name("faces-8")
    'faces-8'
    """
    if NAME.fullmatch(name) is None:
        raise InputError(
            f"expected a name of a–z, 0–9, '.', '-', '_', at most 100 characters, got {name!r}", code="name_invalid"
        )
    return name
