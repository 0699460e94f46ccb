"""How the columns of a source's row become a registration: one reading for every kind of source.

Rules, in order:

1. A column is understood by its name (`column_names`). What is not understood is kept under `extra`, so that nothing of the
   source is lost.
2. A cell that does not fit its column's meaning is kept under `extra` as well. A note under `column_notes` says why. The row
   is registered without it.
3. A licence is the exception: the row is refused if its licence is none, and the message names the column and the cure. The
   row's own licence goes before that of the run.
4. The creator's and the rights holder's columns are presumed owners on the basis "dataset metadata". Empty ones are a search
   that found nothing, and so is a word such as "Unknown". Both are recorded as diligence.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any, TypeVar

from services.ingest.bulk.rows import Row, check_sha256, validate_registration
from services.ingest.items.placeholders import is_placeholder
from services.ingest.items.schemas import Registration
from services.ingest.registration.preparation import EarlierForm
from services.ingest.sources import cells, earlier_columns
from services.ingest.sources.cells import CellError
from services.ingest.sources.column_names import match_columns
from services.ingest.sources.source import SourceOptions
from shared.clock import timestamp, utc_now
from shared.errors import InputError
from shared.licence_names import translate_licence
from shared.licences import parse_licence

# A name found in a column of the data set: likely right, checked by nobody.
METADATA_CONFIDENCE = 0.7
# Where notes on a row's columns are kept.
NOTES = "column_notes"
# That of a registration.
MAX_OWNERS = 100
_ROLES = frozenset({"creator", "photographer", "publisher", "rightsholder", "licensor"})
_NOBODY = "names nobody"

T = TypeVar("T")

_known_licence = lru_cache(maxsize=256)(parse_licence)


def build_registration(
    columns: Mapping[str, Any],
    key: str,
    dataset: str,
    acquirer: str,
    licence: str | None = None,
    notes: Mapping[str, str] | None = None,
) -> tuple[Registration, str | None]:
    """Turn a row's columns into a registration.

    Args:
        columns: the row as read, without the column that names the file.
        key: the item's name in its source.
        dataset: which data set the item belongs to.
        acquirer: who is responsible for obtaining it.
        licence: of a row that states none.
        notes: what the source has to say of columns already.

    Returns:
        The registration, and the SHA-256 that the row expects of the bytes, if it states one.

    Raises:
        InputError: the licence cannot be accepted, or is missing.
    """
    row = _Columns(columns, notes or {})
    url = row.read("source_url", row.read_url)
    record = {
        "dataset": dataset,
        "source_key": key,
        "acquirer": acquirer,
        "title": row.read("title", row.read_title),
        "acquired_from": row.read("acquired_from", cells.read_text),
        "acquired_at": row.read("acquired_at", cells.read_moment),
        **_read_licence(row, licence),
        "archival_link": url and _read_link(row, url),
        **_read_owners(row),
    }
    sha256 = row.read("sha256", cells.read_sha256)
    return validate_registration({**record, "extra": row.extra()}), sha256


def build_row(
    columns: Mapping[str, Any],
    key: str,
    options: SourceOptions,
    data: bytes,
    *,
    notes: Mapping[str, str] | None = None,
    earlier: tuple[str, Mapping[str, Any]] | None = None,
    spare_key: str | None = None,
) -> Row:
    """Turn a row's columns and bytes into a row to register.

    Args:
        columns: the row as read, without the image; where they state a SHA-256, the bytes must have it.
        key: the item's name in its source.
        options: data set, acquirer, licence of rows that state none.
        data: the encoded image.
        notes: what the source has to say of columns already.
        earlier: the key and the columns by which the first reading knew the row, where they differ.
        spare_key: the key where the first one stands for other bytes.

    Raises:
        InputError: the licence or the key cannot be accepted, or the bytes are too many or have another SHA-256.
    """
    registration, expected = build_registration(columns, key, options.dataset, options.acquirer, options.licence, notes)
    if len(data) > options.max_bytes:
        raise InputError(
            f"image file too large: expected at most {options.max_bytes:,} bytes, got more", code="image_too_large"
        )
    if expected is not None:
        check_sha256(data, expected)
    earlier_key, earlier_row = earlier or (key, columns)
    earlier_form = EarlierForm(
        earlier_key, partial(earlier_columns.build_registration, dict(earlier_row), earlier_key, options)
    )
    return Row(key, registration, data, earlier=earlier_form, spare_key=spare_key)


def accept_download(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Honour what img2dataset says of a row that it downloaded.

    Args:
        columns: the row as read.

    Returns:
        The columns; where the image was resized, `sha256` is that of the original file, not of the bytes at hand, and
        becomes `original_sha256`, which nothing is compared with.

    Raises:
        InputError: the status is other than success; the message has the downloader's own.

    Source: img2dataset's README (https://github.com/rom1504/img2dataset), "File structure" for status, error_message and
    original_width, "API" for `compute_hash`, the hash of the raw image.
    """
    status = columns.get("status")
    if str(status).startswith("failed"):
        reason = columns.get("error_message") or "no error message"
        raise InputError(f"expected a row with status success, got {status}: {reason}", code="download_failed")
    if not cells.is_empty(columns.get("original_width")) and columns.get("sha256"):
        return {("original_sha256" if name == "sha256" else name): value for name, value in columns.items()}
    return dict(columns)


class _Columns:
    """A row's columns on their way into a record: each is read once, and what is left over is kept."""

    def __init__(self, columns: Mapping[str, Any], notes: Mapping[str, str]) -> None:
        # `None` and "" are no values; further words for a missing value are kept as they stand.
        self._rest = {str(name): value for name, value in columns.items() if not _is_blank(value)}
        self._kept: dict[str, Any] = {}
        self._meanings = match_columns(self._rest)
        self._notes = dict(notes)
        self._current = ""

    def names(self, meaning: str) -> list[str]:
        """Return the row's columns of a meaning that are not read yet, the best first."""
        return [name for name in self._meanings.get(meaning, ()) if name in self._rest]

    def read(self, meaning: str, read: Callable[[Any], T]) -> T | None:
        """Return the first cell of a meaning that can be read; those before it are kept with a note."""
        named = self.read_named(meaning, read)
        return named[1] if named is not None else None

    def read_named(self, meaning: str, read: Callable[[Any], T]) -> tuple[str, T] | None:
        """Return what `read` does, and the name of the column."""
        for name in self.names(meaning):
            value = self._rest[name]
            if cells.is_empty(value) and not (meaning == "title" and isinstance(value, str)):
                self.note(name, "holds no value")
                continue
            self._current = name
            try:
                result = read(value)
            except CellError as error:
                self.note(name, str(error))
                continue
            del self._rest[name]
            return name, result
        return None

    def note(self, name: str, text: str) -> None:
        """Keep a column's cell as it stands, with a note."""
        self._kept[name] = self._rest[name]
        self._notes[name] = text

    def read_title(self, value: Any) -> str | None:
        """Read a caption; of one that does not fit, all is kept."""
        title, note = cells.read_title(value)
        if note is not None:
            self.note(self._current, note)
        if title is None and note is not None:
            raise CellError(note)
        return title

    def read_url(self, value: Any) -> str:
        """Read an address; of one that had to be changed, all is kept."""
        url, note = cells.read_url(value)
        if note is not None:
            self.note(self._current, note)
        return url

    def extra(self) -> dict[str, Any]:
        """Return what is left over, as a record can keep it, with the notes."""
        extra: dict[str, Any] = {}
        for name, value in {**self._rest, **self._kept}.items():
            plain = cells.to_json(value)
            storable = cells.to_storable(plain)
            if storable != plain:
                self._notes.setdefault(name, "characters that cannot be kept are replaced, or what is too long is cut")
            extra[cells.to_storable(name)] = storable
        notes = cells.to_storable({name: note[: cells.MAX_TEXT_CHARS] for name, note in self._notes.items()})
        return {**extra, NOTES: notes} if notes else extra


def _is_blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value)


def _read_licence(row: _Columns, default: str | None) -> dict[str, Any]:
    url = row.read("licence_url", row.read_url)
    named = row.read_named("licence", _read_licence_text)
    text = named[1] if named is not None else None
    if text is None and url is not None and translate_licence(url) != url:
        text = url
    text = text or default
    if text is not None and url is None and text.startswith(("http://", "https://")):
        url = text
    if not text:
        raise InputError(
            "row has no licence; expected a column licence or license, or one for all of them (--licence)",
            code="licence_missing",
        )
    try:
        return {"licence": _known_licence(text), "licence_url": url}
    except InputError as error:
        column = f"column {named[0]}: " if named is not None else ""
        raise InputError(f"{column}{error.message}", code=error.code) from error


def _read_licence_text(value: Any) -> str:
    if isinstance(value, (list, tuple)) and len(value) == 1:
        value = value[0]
    text = cells.read_text(value)
    if is_placeholder(text):
        raise CellError("names no licence")
    return text


def _read_link(row: _Columns, url: str) -> dict[str, Any]:
    return {
        "original_url": url,
        "snapshot_url": row.read("snapshot_url", row.read_url),
        "version_date": row.read("version_date", cells.read_day),
    }


def _read_owners(row: _Columns) -> dict[str, Any]:
    creators = row.read("creator", _read_people) or []
    holders = row.read("rights_holder", _read_people) or []
    search = {
        "source": "dataset metadata",
        "searched_at": timestamp(utc_now()),
        "result": "creator named" if creators else "rights holder named" if holders else "no creator named",
    }
    role = row.read("creator_role", _read_role) if creators else None
    url = row.read("creator_url", row.read_url) if len(creators) == 1 else None
    owners = [{"name": name, "url": _own_url(own) or url, "role": role or "creator"} for name, own in creators]
    names = {name for name, _ in creators}
    owners += [{"name": name, "url": _own_url(own), "role": "rightsholder"} for name, own in holders if name not in names]
    presumed_owners = [{**owner, "basis": "dataset metadata", "confidence": METADATA_CONFIDENCE} for owner in owners]
    return {"owners": presumed_owners[:MAX_OWNERS], "diligence": [search]}


def _read_people(value: Any) -> Sequence[tuple[str, Any]]:
    people = {name: url for name, url in cells.read_names(value) if not is_placeholder(name)}
    if not people:
        raise CellError(_NOBODY)
    return list(people.items())


def _own_url(url: Any) -> str | None:
    try:
        return cells.read_url(url)[0] if not cells.is_empty(url) else None
    except CellError:
        return None


def _read_role(value: Any) -> str:
    role = cells.read_text(value)
    if role not in _ROLES:
        raise CellError(f"expected {', '.join(sorted(_ROLES))}, got {role[:40]!r}")
    return role


def describe_columns(names: Iterable[str]) -> str:
    """List columns in a message, as many as fit.

    >>> describe_columns(["a", "b"])
    'a, b'
    """
    shown = [str(name)[:40] for name in names]
    return ", ".join(shown[:12]) + (f" and {len(shown) - 12} more" if len(shown) > 12 else "")
