"""How the text of a source's file is encoded, told by its content.

Rules, in order:

1. A byte order mark decides. Without one, zero bytes at every second place are UTF-16.
2. Everything else is UTF-8. Bytes that are not come as surrogates (PEP 383), so that they spoil their own cell only;
   `repair` reads such a cell as Windows-1252, which is what most spreadsheets write and has all of Latin-1's letters.
"""

import codecs
import re
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from typing import BinaryIO

# What `surrogateescape` makes of a byte that is not UTF-8 (PEP 383).
STRAY_BYTE = re.compile("[\udc80-\udcff]")
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_HEAD_BYTES = 4096


def find_encoding(head: bytes) -> str:
    """Tell the encoding by the first bytes of a file.

    >>> find_encoding("a,b".encode("utf-16")), find_encoding("a,b".encode("utf-16-le")), find_encoding(b"a,b")
    ('utf-16', 'utf-16-le', 'utf-8-sig')
    """
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding
    whole = head[: len(head) // 2 * 2]
    # Column names and addresses are ASCII for the most part, so that one half of UTF-16 is zeros.
    for encoding, zeros, letters in (("utf-16-le", whole[1::2], whole[::2]), ("utf-16-be", whole[::2], whole[1::2])):
        if zeros and zeros.count(0) > 0.6 * len(zeros) and letters.count(0) < 0.1 * len(letters):
            return encoding
    return "utf-8-sig"


@contextmanager
def open_text(file: BinaryIO, newline: str | None = None) -> Iterator[TextIOWrapper]:
    """Open the text of a file that can be sought in; see rule 2 for what is not UTF-8."""
    head = file.read(_HEAD_BYTES)
    file.seek(0)
    encoding = find_encoding(head)
    errors = "surrogateescape" if encoding == "utf-8-sig" else "replace"
    with TextIOWrapper(file, encoding=encoding, errors=errors, newline=newline) as text:
        yield text


def repair(cell: str) -> str | None:
    """Read a cell with stray bytes as Windows-1252; None where it has none.

    >>> repair(b"M\\xfcller".decode("utf-8", "surrogateescape")), repair("plain")
    ('Müller', None)
    """
    if STRAY_BYTE.search(cell) is None:
        return None
    data = cell.encode("utf-8", "surrogateescape")
    try:
        return data.decode("cp1252")
    except UnicodeDecodeError:
        return data.decode("latin-1")
