"""Croissant: a data set described by `croissant.json`, its files beside it.

Rules, in order:

1. A FileObject's bytes must have the SHA-256 that the description states, before a row of it is read.
2. Nothing outside the description's folder is read, and nothing is downloaded.
3. The description's licence and creators hold for rows that state none of their own. Whoever made the data set need not have
   made its images, so its creators are presumed owners of little confidence.

Source: https://github.com/mlcommons/croissant/blob/main/docs/croissant-spec-1.1.md; what is supported: `croissant_metadata`.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cached_property
from itertools import chain, islice
from pathlib import Path
from typing import Any

from services.ingest.bulk.rows import BadRow, Row, refuse
from services.ingest.items.schemas import PresumedOwner
from services.ingest.sources.cells import to_json
from services.ingest.sources.column_names import COLUMNS, find_columns
from services.ingest.sources.columns import build_row
from services.ingest.sources.croissant_metadata import Croissant, load_croissant
from services.ingest.sources.csv_files import read_csv
from services.ingest.sources.image_files import ImageFiles
from services.ingest.sources.kinds.parquet import open_parquet, read_rows
from services.ingest.sources.source import SourceKind, SourceOptions
from shared.errors import InputError, SleeveError
from shared.regular_files import open_regular

FILE_NAME = "croissant.json"
# The name of the whole data set's maker, for an image in it: a guess that someone has to check.
CREATOR_CONFIDENCE = 0.3

Columns = dict[str, Any]


@dataclass(frozen=True)
class CroissantSource:
    """A source of this kind."""

    path: Path
    options: SourceOptions
    kind = "croissant"

    @cached_property
    def description(self) -> Croissant:
        """What the description says."""
        return load_croissant(self.path)

    def files(self) -> list[Path]:
        """The files that decide which rows there are, and in which order; the folders of image files stand for them."""
        record_files = self._record_files
        return [self.path, *(record_files if self._is_table() else sorted({path.parent for path in record_files}))]

    def count(self) -> int | None:
        """Count the images, or the rows of Parquet files; None for CSV, which would have to be read."""
        record_files = self._record_files
        if not self._is_table():
            return len(record_files)
        return sum(map(_count_parquet, record_files)) if all(map(_is_parquet, record_files)) else None

    def rows(self, skip: int = 0) -> Iterator[Row | BadRow]:
        """Yield the rows, but for the first `skip`.

        Raises:
            InputError: the description is not supported, or a file is missing or has another digest.
        """
        images = ImageFiles(self.path.parent, self.options.max_bytes)
        defaults = self._defaults()
        for place, columns in islice(self._records(), skip, None):
            key = place
            try:
                if isinstance(columns, InputError):
                    raise columns
                image = columns.pop(self.description.image.name)
                key, data = _image_bytes(image, columns, place, images)
                row = build_row(
                    {**defaults, **{name: to_json(value) for name, value in columns.items()}}, key, self.options, data
                )
                yield self._with_creators(row)
            except SleeveError as error:
                yield refuse(key, error)

    def _is_table(self) -> bool:
        return self.description.image.kind == "column"

    @cached_property
    def _record_files(self) -> list[Path]:
        """The files that the records are in; a FileObject's digest is checked here, so before anything is read of it."""
        files, folder = self.description.files, self.path.parent
        if files.path is not None:
            return [_file_beside(folder, files.path, files.sha256)]
        included = (path for path in _walk(folder) if _matches(path.relative_to(folder).as_posix(), files.includes))
        record_files = [path for path in included if not _matches(path.relative_to(folder).as_posix(), files.excludes)]
        if not record_files:
            raise InputError(f"expected files matching {files.includes} in {folder}, got none", code="file_missing")
        return record_files

    def _records(self) -> Iterator[tuple[str, Columns | InputError]]:
        record_files = self._record_files
        if self._is_table():
            return chain.from_iterable(self._table_records(path) for path in record_files)
        return (self._file_record(path.relative_to(self.path.parent).as_posix()) for path in record_files)

    def _file_record(self, name: str) -> tuple[str, Columns]:
        values = {"content": name, "filename": Path(name).name, "filepath": name, "fullpath": name}
        return name, {field.name: values[field.value] for field in self.description.fields}

    def _table_records(self, path: Path) -> Iterator[tuple[str, Columns | InputError]]:
        fields = self.description.fields
        for number, columns in _read_parquet(path) if _is_parquet(path) else _read_csv(path):
            place = f"{path.name}, row {number}"
            if isinstance(columns, InputError):
                yield place, columns
            elif missing := [field.value for field in fields if field.value not in columns]:
                yield place, InputError(f"row has no column {missing[0]!r}, which the description names", code="row_invalid")
            else:
                yield place, {field.name: columns[field.value] for field in fields}

    def _defaults(self) -> Columns:
        described = self.description
        defaults: Columns = {}
        if described.licence is not None and self.options.licence is None:
            defaults["licence"] = described.licence
            if described.licence.startswith(("http://", "https://")):
                defaults["licence_url"] = described.licence
        if described.url is not None:
            defaults["acquired_from"] = described.url
        spelled = [field.name for field in described.fields]
        return {name: value for name, value in defaults.items() if not find_columns(spelled, COLUMNS[name])}

    def _with_creators(self, row: Row) -> Row:
        if row.registration.owners or not self.description.creators:
            return row
        owners = tuple(
            PresumedOwner(name=name, url=url, basis="creator of the data set", confidence=CREATOR_CONFIDENCE)
            for name, url in self.description.creators
        )
        searches = tuple(
            search.model_copy(update={"result": "creator of the data set named"}) for search in row.registration.diligence
        )
        return Row(row.key, row.registration.model_copy(update={"owners": owners, "diligence": searches}), row.data)


def _image_bytes(image: Any, columns: Mapping[str, Any], place: str, images: ImageFiles) -> tuple[str, bytes]:
    """Return the key and the bytes of an image that is given as bytes, as struct{bytes, path}, or by its file's name."""
    data, name = (image.get("bytes"), image.get("path")) if isinstance(image, dict) else (image, None)
    if isinstance(data, bytes):
        return str(name or columns.get("key") or place), data
    name = data if isinstance(data, str) else name
    if not isinstance(name, str) or not name:
        raise InputError("row has no image", code="image_missing")
    return name, images.load(name)


def _file_beside(folder: Path, name: str, expected: str | None) -> Path:
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise InputError(f"contentUrl leads out of the folder: {name}", code="path_outside")
    if not path.is_file():
        raise InputError(f"expected {name} beside the description, got no such file", code="file_missing")
    with open_regular(path) as file:
        got = hashlib.file_digest(file, "sha256").hexdigest()
    if got != expected:
        raise InputError(f"{name}: expected SHA-256 {expected}, got {got}", code="sha256_differs")
    return path


def _walk(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders.sort()
        yield from (Path(parent, name) for name in sorted(names))


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)


def _is_parquet(path: Path) -> bool:
    return path.suffix == ".parquet"


def _count_parquet(path: Path) -> int:
    with open_parquet(path) as file:
        return int(file.metadata.num_rows)


def _read_parquet(path: Path) -> Iterator[tuple[int, Columns]]:
    with open_parquet(path) as file:
        yield from read_rows(file, path)


def _read_csv(path: Path) -> Iterator[tuple[int, Mapping[str, Any] | InputError]]:
    for number, row in enumerate(read_csv(path)):
        yield number, row.columns


def _open(path: Path, options: SourceOptions) -> CroissantSource:
    return CroissantSource(path / FILE_NAME if path.is_dir() else path, options)


def _has_description(path: Path) -> bool:
    return (path / FILE_NAME).is_file() if path.is_dir() else path.suffix in {".json", ".jsonld"}


KIND = SourceKind(CroissantSource.kind, _open, _has_description, is_certain=True)
