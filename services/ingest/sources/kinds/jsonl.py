"""JSON Lines: a file of registrations, a line a row, as `POST /v1/items/batch` takes them.

Rules, in order:

1. A line is what `registration.jsonl` says: the fields of a registration, with `image` in base64 or `sha256`.
2. Data set, acquirer and licence of the run stand in for those that a line does not give. A line of another data set is
   refused: a run's status file is that of one.
3. What a line has under `extra` is kept as any source's is: numbers that JSON cannot hold are spelled as text. An owner called
   "Unknown" or the like is none, and is kept there too.
4. The file is read as it comes, a line at a time.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from services.ingest.bulk.json_lines import Line, max_line_bytes, parse_line, read_lines
from services.ingest.bulk.rows import BadRow, HeldRow, Row
from services.ingest.items.placeholders import is_placeholder
from services.ingest.sources.cells import to_json, to_storable
from services.ingest.sources.columns import NOTES
from services.ingest.sources.source import SourceKind, SourceOptions
from shared.errors import InputError
from shared.regular_files import open_regular

# Read at once.
CHUNK_BYTES = 2**20
ENDINGS = (".jsonl", ".ndjson")


@dataclass(frozen=True)
class JsonLines:
    """A source of this kind: one file."""

    path: Path
    options: SourceOptions
    kind = "jsonl"

    def files(self) -> list[Path]:
        """The file that decides which rows there are, and in which order."""
        return [self.path]

    def count(self) -> int:
        """Count the lines that are not empty."""
        return sum(1 for _ in self._lines())

    def rows(self, skip: int = 0) -> Iterator[Row | HeldRow | BadRow]:
        """Yield the rows, but for the first `skip`, which are read and not parsed."""
        run_fields = {"dataset": self.options.dataset, "acquirer": self.options.acquirer, "licence": self.options.licence}
        defaults = {name: value for name, value in run_fields.items() if value is not None}
        for line in islice(self._lines(), skip, None):
            row = parse_line(line, max_line_bytes(self.options.max_bytes), defaults, _fit)
            yield row if isinstance(row, BadRow) else self._of_this_data_set(row)

    def _of_this_data_set(self, row: Row | HeldRow) -> Row | HeldRow | BadRow:
        if row.registration.dataset == self.options.dataset:
            return row
        message = f"expected a row of data set {self.options.dataset!r}, got one of {row.registration.dataset!r}"
        return BadRow(row.key, InputError(message, code="dataset_differs"))

    def _lines(self) -> Iterator[Line]:
        for line in read_lines(self._chunks(), max_line_bytes(self.options.max_bytes)):
            if isinstance(line, Line) and line.data.strip():
                yield line

    def _chunks(self) -> Iterator[bytes]:
        try:
            with open_regular(self.path) as file:
                while chunk := file.read(CHUNK_BYTES):
                    yield chunk
        except OSError as error:
            raise InputError(f"{self.path.name} cannot be read: {error.strerror}", code="source_damaged") from error


def _fit(fields: dict[str, Any]) -> dict[str, Any]:
    """Return a line's fields as a registration takes them; what is not of its form is left for it to refuse."""
    extra, owners = fields.get("extra"), fields.get("owners")
    fitted = dict(fields)
    if isinstance(extra, dict):
        fitted["extra"] = to_storable(to_json(extra))
    if isinstance(owners, list):
        nobodies = [owner for owner in owners if isinstance(owner, dict) and is_placeholder(str(owner.get("name", "x")))]
        if nobodies and isinstance(fitted.get("extra", {}), dict):
            fitted["owners"] = [owner for owner in owners if owner not in nobodies]
            kept = {"owners": to_storable(to_json(nobodies)), NOTES: {"owners": "names nobody"}}
            fitted["extra"] = {**kept, **fitted.get("extra", {})}
    return fitted


def _has_lines(path: Path) -> bool:
    return path.is_file() and path.suffix in ENDINGS


KIND = SourceKind(JsonLines.kind, JsonLines, _has_lines, endings=ENDINGS)
