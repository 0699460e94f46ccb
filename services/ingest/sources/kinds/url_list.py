"""URL lists: CSV or Parquet with a URL a row, as img2dataset reads them; the images are fetched here.

Rules, in order:

1. The image's URL is the column `url`, else `source_url` or `original_url`, in small or capital letters. It is the item's key
   and the original of its archival link. A further column of these, or one that says when somebody else acquired the image, is
   kept under its name with `listed_` before it.
2. A row whose columns cannot be accepted is refused before anything is fetched.
3. Every hop of a fetch is allowed by its host's robots.txt, and no host is asked for more than a few things at once.
4. A `sha256` column is that of the file at the URL and has to be met, also where the list came out of a download that resized.
5. Rows come in the order of the list. Rows in work are bounded in number, so that memory does not grow with the list.
6. What the hosts say of the image's rights goes with the row: in the response's headers, in robots.txt, in tdmrep.json and,
   where it is asked for, in the page that the row names. A row whose fetch robots.txt forbids is refused and says so.

Source: img2dataset's README (https://github.com/rom1504/img2dataset), "Input format"; RFC 9309.
"""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from services.ingest.bulk.rows import BadRow, NoPicture, Row, check_sha256, refuse
from services.ingest.signals.signal import Signal
from services.ingest.sources import cells
from services.ingest.sources.cells import CellError, to_json
from services.ingest.sources.class_labels import find_labels, name_labels
from services.ingest.sources.column_names import COLUMNS, find_columns, fold_name
from services.ingest.sources.columns import build_registration, describe_columns
from services.ingest.sources.csv_files import CsvRow, read_csv
from services.ingest.sources.file_trees import FolderTree
from services.ingest.sources.kinds.parquet import names_urls_only, open_parquet, read_rows
from services.ingest.sources.source import SourceKind, SourceOptions
from services.ingest.sources.statements import Statements, find_page
from services.ingest.sources.unnamed_files import find_unnamed
from shared.errors import InputError, SleeveError
from shared.fetching.addresses import parse_target
from shared.fetching.connection import Headers
from shared.fetching.fetcher import Fetched, Fetcher
from shared.fetching.politeness import PolitePool

ENDINGS = (".csv", ".tsv", ".parquet")
URL_COLUMNS = ("url", "source_url", "original_url", "image_url", "img_url", "source_image_url")
LISTED = "listed_"
# As many connections as browsers used to open to one host (RFC 2616 section 8.1.4); a list usually names many hosts.
PARALLEL_PER_HOST = 2
# Fetches wait for the network: more of them than processors, and few enough that their images fit in memory.
PARALLEL = 16
# Rows in work: enough that the threads stay busy behind one slow row.
WINDOW_ROWS = 2 * PARALLEL

# What a row says of these is said of another fetch than ours.
_OURS = frozenset({*URL_COLUMNS, "acquired_at"})
_SPELLINGS = {fold_name(spelling): spelling for spellings in COLUMNS.values() for spelling in spellings}

Work = Future[Row | BadRow] | BadRow


@dataclass(frozen=True)
class FetchedRow(Row):
    """A row whose bytes were fetched here, the fetch, which an archive may keep, and what the hosts said of the image."""

    fetched: Fetched
    signals: tuple[Signal, ...]

    def source_signals(self) -> Sequence[Signal]:
        """Rights signals of the hosts that were asked for the bytes."""
        return self.signals

    @property
    def http_headers(self) -> Headers:
        """The headers of the answer that brought the bytes, repeated ones repeated."""
        return self.fetched.headers


@dataclass(frozen=True)
class UrlList:
    """A source of this kind: one file, or the CSV and Parquet files of a folder in the order of their names.

    Args:
        path: where the list is.
        options: data set, acquirer, limits.
        fetcher: fetches images, and what hosts say of them; its cap on bytes should be that of the options.
        parallel: fetches at once.
        parallel_per_host: fetches from one host at once.
    """

    path: Path
    options: SourceOptions
    fetcher: Fetcher
    parallel: int = PARALLEL
    parallel_per_host: int = PARALLEL_PER_HOST
    statements: Statements = field(init=False)
    kind = "url_list"

    def __post_init__(self) -> None:
        object.__setattr__(self, "statements", Statements(self.fetcher, read_pages=self.options.read_pages))

    def files(self) -> list[Path]:
        """The files that decide which rows there are, and in which order."""
        if not self.path.is_dir():
            return [self.path]
        return sorted(path for path in self.path.iterdir() if path.suffix.lower() in ENDINGS)

    def count(self) -> int:
        """Count the rows; nothing is fetched."""
        return sum(map(_count_rows, self.files()))

    def rows(self, skip: int = 0) -> Iterator[Row | BadRow | NoPicture]:
        """Yield the rows, but for the first `skip`, which are not fetched; then a line for each file beside the lists.

        Raises:
            InputError: a file is no list, or damaged.
        """
        waiting: deque[Work] = deque()
        position = 0
        with PolitePool[Row | BadRow](self.parallel, self.parallel_per_host) as pool:
            for position, (place, row) in enumerate(self._lines(), start=1):
                if position <= skip:
                    continue
                waiting.append(self._start(pool, place, row))
                if len(waiting) >= WINDOW_ROWS:
                    yield _finish(waiting.popleft())
            while waiting:
                yield _finish(waiting.popleft())
        if self.path.is_dir():
            names = {path.name for path in self.files()}
            unnamed = find_unnamed(FolderTree(self.path), names.__contains__, "a list")
            yield from islice(unnamed, max(0, skip - position), None)

    def _lines(self) -> Iterator[tuple[str, CsvRow]]:
        for path in self.files():
            for row in _read_lines(path):
                yield f"{path.name}, row {row.number}", row

    def _start(self, pool: PolitePool[Row | BadRow], place: str, row: CsvRow) -> Work:
        key = place
        try:
            if isinstance(row.columns, InputError):
                raise row.columns
            key, record = split_url(row.columns)
            host = parse_target(key, self.fetcher.policy).host
        except SleeveError as error:
            return refuse(key, error)
        return pool.submit(host, partial(self._fetch, key, record, row))

    def _fetch(self, url: str, columns: Mapping[str, Any], row: CsvRow) -> Row | BadRow:
        try:
            return self._load(url, columns, row)
        except SleeveError as error:
            return refuse(url, error)

    def _load(self, url: str, columns: Mapping[str, Any], row: CsvRow) -> FetchedRow:
        registration, expected = build_registration(
            columns, url, self.options.dataset, self.options.acquirer, self.options.licence, row.notes
        )
        fetched = self.fetcher.fetch(url, headers={"Accept": "image/*"}, check=self.statements.verify_allowed)
        fetched.verify_ok()
        if len(fetched.body) > self.options.max_bytes:
            cap = f"image file too large: expected at most {self.options.max_bytes:,} bytes, got {len(fetched.body):,}"
            raise InputError(cap, code="image_too_large")
        if expected is not None:
            check_sha256(fetched.body, expected)
        acquired = registration.model_copy(update={"acquired_at": fetched.answer.started_at})
        signals = self.statements.read(fetched, find_page(columns, url))
        return FetchedRow(url, acquired, fetched.body, fetched, signals)


def split_url(columns: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Find the image's URL in a row, and make the row's other columns ready for a registration.

    Args:
        columns: as read.

    Returns:
        The URL, and the columns with it as `source_url`.

    Raises:
        InputError: code `row_invalid`; there is no URL.

    >>> split_url({"URL": "https://example.org/a.png", "TEXT": "A", "page": "https://example.org/"})
    ('https://example.org/a.png', {'text': 'A', 'page': 'https://example.org/', 'source_url': 'https://example.org/a.png'})
    """
    spelled = {_known_spelling(str(name), columns): to_json(value) for name, value in columns.items()}
    urls = [spelled[name] for name in find_columns(spelled, URL_COLUMNS) if not cells.is_empty(spelled[name])]
    url = urls[0] if urls else None
    if not isinstance(url, str):
        raise InputError(
            f"expected a URL in a column {', '.join(URL_COLUMNS[:3])}, got {describe_columns(spelled)}", code="row_invalid"
        )
    try:
        address, _ = cells.read_url(url)
    except CellError:
        address = url.strip()  # and is refused as what it is
    rest = {
        (LISTED + name if name in _OURS else name): value
        for name, value in spelled.items()
        if not (name in URL_COLUMNS and value == url)
    }
    return address, {**rest, "source_url": address}


def _known_spelling(name: str, columns: Mapping[str, Any]) -> str:
    known = _SPELLINGS.get(fold_name(name), name)
    return known if known not in columns else name


def _finish(work: Work) -> Row | BadRow:
    return work if isinstance(work, BadRow) else work.result()


def _read_lines(path: Path) -> Iterator[CsvRow]:
    if path.suffix.lower() == ".parquet":
        with open_parquet(path) as file:
            labels = find_labels(file.schema_arrow)
            for number, columns in read_rows(file, path):
                yield CsvRow(number, name_labels(columns, labels))
        return
    for number, row in enumerate(read_csv(path)):
        yield CsvRow(number, row.columns, row.notes)


def _count_rows(path: Path) -> int:
    if path.suffix.lower() == ".parquet":
        with open_parquet(path) as file:
            return int(file.metadata.num_rows)
    return sum(1 for _ in _read_lines(path))


def _open(path: Path, options: SourceOptions) -> UrlList:
    return UrlList(path, options, options.make_fetcher())


def _is_list(path: Path) -> bool:
    if not path.is_file():
        return False
    return path.suffix.lower() in {".csv", ".tsv"} or (path.suffix.lower() == ".parquet" and names_urls_only(path))


KIND = SourceKind(UrlList.kind, _open, _is_list, endings=ENDINGS)
