"""Text of strangers on a terminal: titles, file names and error messages may hold sequences that a terminal obeys.

Rules, in order:

1. Control characters but tab and line feed, and those that reverse the direction of a line, are shown as `\\u001b`. In JSON
   the escape means the same character.
2. So is half a surrogate pair, which is how Python holds the bytes of a file name that is no UTF-8: no terminal takes it.

Source: ECMA-48 section 8.2 (C0, C1); Unicode Standard Annex 9 (bidirectional formatting characters).
"""

import re

import typer

_UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def escape_controls(text: str) -> str:
    r"""Show what a terminal would obey.

    >>> escape_controls("\x1b[2Ja\tpicture\x9bm")
    '\\u001b[2Ja\tpicture\\u009bm'
    """
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def echo(text: str | None, *, err: bool = False) -> None:
    """Print a line to standard output, or to standard error."""
    typer.echo(escape_controls(text or ""), err=err)  # noqa: TID251 - the one place
