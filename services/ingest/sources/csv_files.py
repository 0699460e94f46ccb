"""CSV as people have it: any of the usual delimiters and encodings, rows with cells too many or too few.

Rules, in order:

1. Encoding and delimiter are told by the content (`text_encoding`, `_find_delimiter`).
2. A row is its columns with notes on them. Surplus cells are kept under `surplus_cells`. A cell that is not in the file's
   encoding is read as Windows-1252.
3. What is wrong with one row is an error of that row. The rows after it are read.

Source: RFC 4180; `sep=` in the first line, as Microsoft Excel reads and writes it.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Self

from services.ingest.sources.column_names import COLUMNS, FILE_COLUMNS, find_columns
from services.ingest.sources.text_encoding import open_text, repair
from shared.errors import InputError
from shared.regular_files import open_regular

DELIMITERS = (",", ";", "\t", "|")
SURPLUS = "surplus_cells"
# Our own bound on one cell. The csv module's is 131,072 characters.
MAX_CELL_CHARS = 2**24
_KNOWN_NAMES = (*FILE_COLUMNS, *(name for names in COLUMNS.values() for name in names))
_SEPARATOR_LINE = re.compile(r"sep=(.)\s*", re.IGNORECASE)


@dataclass(frozen=True)
class CsvRow:
    """One row: the number of its line or record from 1, its columns or what is wrong with it, and notes on its columns."""

    number: int
    columns: Mapping[str, Any] | InputError
    notes: Mapping[str, str] = field(default_factory=dict)


def read_csv(path: Path) -> Iterator[CsvRow]:
    """Yield the rows of a CSV file, numbered from 2 as its lines are, the header being the first.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        with open_regular(path) as file:
            yield from read_csv_file(file)
    except OSError as error:
        raise InputError(f"{path.name} cannot be read: {error.strerror}", code="source_damaged") from error


def read_csv_file(file: BinaryIO) -> Iterator[CsvRow]:
    """Yield the rows of an open CSV file, as `read_csv` does."""
    csv.field_size_limit(MAX_CELL_CHARS)
    with open_text(file, newline="") as text:
        first = text.readline(MAX_CELL_CHARS)
        separator = _SEPARATOR_LINE.fullmatch(first)
        delimiter = separator[1] if separator else _find_delimiter(first)
        if separator is None:
            text.seek(0)
        header: list[str] | None = None
        for number, cells in enumerate(_read_records(text, delimiter), start=1):
            if isinstance(cells, InputError):
                yield CsvRow(number, cells)
            elif header is None:
                header = _unique_names(cells)
            else:
                yield _build_row(number, header, cells)


def _read_records(text: Iterable[str], delimiter: str) -> Iterator[list[str] | InputError]:
    """Yield the cells of each record that is not empty.

    A quote that is never closed swallows the lines behind it. Such a record spans lines, and has another number of cells than
    the header or an odd number of quotes; its lines are then read one by one.
    """
    lines = _Recorder(text)
    reader = csv.reader(lines, delimiter=delimiter)
    width: int | None = None
    while True:
        lines.recent.clear()
        cells: list[str] | InputError
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            cells = InputError(f"row cannot be read as CSV: {error}", code="row_invalid")
        width = len(cells) if width is None and isinstance(cells, list) else width
        is_odd, is_whole = lines.has_odd_quotes, isinstance(cells, list) and len(cells) == width
        if (len(lines.recent) > 1 and (is_odd or not is_whole)) or (is_odd and not is_whole):
            yield from _read_lines_alone(lines.recent, delimiter)
        elif cells:
            yield cells


def _read_lines_alone(lines: Sequence[str], delimiter: str) -> Iterator[list[str] | InputError]:
    for line in lines:
        try:
            whole = [line.rstrip("\r\n")]
            has_odd_quotes = line.count('"') % 2 == 1
            literal = csv.reader(whole, delimiter=delimiter, quoting=csv.QUOTE_NONE)
            cells = next(literal if has_odd_quotes else csv.reader(whole, delimiter=delimiter), [])
        except csv.Error as error:
            yield InputError(f"row cannot be read as CSV: {error}", code="row_invalid")
            continue
        if cells:
            yield cells


class _Recorder:
    """Hands lines on, and keeps those of the record that is being read."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self.recent: list[str] = []

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.recent.append(line)
        return line

    @property
    def has_odd_quotes(self) -> bool:
        return sum(line.count('"') for line in self.recent) % 2 == 1


def _find_delimiter(first_line: str) -> str:
    """Return the delimiter by which a header has known names, and the most of them; a comma where none has."""

    def rank(delimiter: str) -> tuple[int, int]:
        names = next(csv.reader([first_line], delimiter=delimiter), [])
        return len(find_columns(names, _KNOWN_NAMES)), len(names)

    return max(DELIMITERS, key=rank)


def _unique_names(cells: Sequence[str]) -> list[str]:
    names: list[str] = []
    for position, cell in enumerate(cells, start=1):
        name = (repair(cell) or cell).strip().strip("\ufeff") or f"column {position}"
        names.append(name if name not in names else f"{name} ({position})")
    return names


def _build_row(number: int, header: Sequence[str], cells: Sequence[str]) -> CsvRow:
    columns: dict[str, Any] = {}
    notes: dict[str, str] = {}
    for name, cell in zip(header, cells, strict=False):
        repaired = repair(cell)
        columns[name] = cell if repaired is None else repaired
        if repaired is not None:
            notes[name] = "is not UTF-8, read as Windows-1252"
    if len(cells) > len(header):
        columns[SURPLUS] = list(cells[len(header) :])
        notes[SURPLUS] = f"expected {len(header)} cells, got {len(cells)}"
    elif len(cells) < len(header):
        notes[header[len(cells)]] = f"expected {len(header)} cells, got {len(cells)}"
    return CsvRow(number, columns, notes)
