"""Croissant: a data set described by `croissant.json`, its files beside it.

Rules, in order:

1. A FileObject's bytes must have the SHA-256 that the description states, before a row of it is read.
2. Nothing outside the description's folder is read, and nothing is downloaded.
3. The description's licence and creators hold for rows that state none of their own. Whoever made the data set need not have
   made its images, so its creators are presumed owners of little confidence.

Source: https://github.com/mlcommons/croissant/blob/main/docs/croissant-spec-1.1.md; what is supported: `croissant_metadata`.
"""

import hashlib
import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from services.ingest.bulk.rows import BadRow, NoPicture, Row, refuse
from services.ingest.items.schemas import PresumedOwner
from services.ingest.sources.class_labels import find_labels, name_labels
from services.ingest.sources.column_names import COLUMNS, find_columns
from services.ingest.sources.columns import build_row
from services.ingest.sources.croissant_fields import Extract
from services.ingest.sources.croissant_metadata import Croissant, CroissantFiles, load_croissant
from services.ingest.sources.csv_files import read_csv_file
from services.ingest.sources.file_trees import FileTree, FolderTree, ZipTree
from services.ingest.sources.kinds.parquet import open_parquet, read_rows
from services.ingest.sources.metadata_files import read_metadata
from services.ingest.sources.source import SourceKind, SourceOptions
from services.ingest.sources.unnamed_files import NamedFiles, find_unnamed
from shared.errors import InputError, SleeveError
from shared.regular_files import open_regular

FILE_NAME = "croissant.json"
# The name of the whole data set's maker, for an image in it: a guess that someone has to check.
CREATOR_CONFIDENCE = 0.3

Columns = dict[str, Any]
# A file's properties, and the columns of a row in it.
Record = tuple[Mapping[str, str], Mapping[str, Any]]


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
        folder = self.path.parent
        if self.description.files.archive is not None:
            return [self.path, folder / str(self.description.files.archive.path)]
        record_files = [folder / name for name in self._names]
        return [self.path, *(record_files if self._is_table() else sorted({path.parent for path in record_files}))]

    def count(self) -> int | None:
        """Count the images, or the rows of Parquet files; None for CSV, which would have to be read."""
        if not self._is_table():
            return len(self._names)
        if self.description.files.archive is not None or not all(map(_is_parquet, self._names)):
            return None
        return sum(_count_parquet(self.path.parent / name) for name in self._names)

    def rows(self, skip: int = 0) -> Iterator[Row | BadRow | NoPicture]:
        """Yield the rows, but for the first `skip`; then a line for each file that the description does not speak of.

        Raises:
            InputError: the description is not supported, or a file is missing or has another digest.
        """
        defaults, named = self._defaults(), NamedFiles()
        position = 0
        for position, (place, columns) in enumerate(self._records(), start=1):
            try:
                if isinstance(columns, InputError):
                    raise columns
                image = columns.pop(self.description.image.name)
                name = image if isinstance(image, str) else None
                if name is not None:
                    named.add(name)
                if position > skip:
                    yield self._build(place, columns, image, defaults)
            except SleeveError as error:
                if position > skip:
                    yield refuse(place, error)
        yield from islice(self._unnamed(named), max(0, skip - position), None)

    def _build(self, place: str, columns: Columns, image: Any, defaults: Columns) -> Row | BadRow:
        key = place
        try:
            key, data = _image_bytes(image, columns, place, self._trees.main, self.options.max_bytes)
            row = build_row({**defaults, **columns}, key, self._row_options, data, spare_key=f"{place}/{key}")
            return self._with_creators(row)
        except SleeveError as error:
            return refuse(key, error)

    @cached_property
    def _row_options(self) -> SourceOptions:
        """The options, with the description's licence where the run has none."""
        return replace(self.options, licence=self.options.licence or self.description.licence)

    def _is_table(self) -> bool:
        return self.description.image.extract.kind == "column"

    @cached_property
    def _trees(self) -> "_Trees":
        """Where the files are; archives are checked here, so before anything is read of them."""
        described = self.description
        main = self._open(described.files)
        return _Trees(main, self._open(described.joined) if described.joined is not None else main)

    def _open(self, files: CroissantFiles) -> FileTree:
        folder = self.path.parent
        if files.archive is None:
            return FolderTree(folder)
        return ZipTree(_file_beside(folder, str(files.archive.path), files.archive.sha256))

    @cached_property
    def _names(self) -> list[str]:
        """The files that the records are in, by their paths."""
        return self._find_names(self.description.files, self._trees.main)

    def _find_names(self, files: CroissantFiles, tree: FileTree) -> list[str]:
        if files.path is not None:
            if files.archive is None:
                _file_beside(self.path.parent, files.path, files.sha256)
            elif not tree.exists(files.path):
                raise InputError(f"expected {files.path} in the archive, got no such member", code="file_missing")
            return [files.path]
        names = [file.name for file in tree.walk() if _is_included(file.name, files)]
        if not names:
            raise InputError(f"expected files matching {files.includes} in {self.path.parent}, got none", code="file_missing")
        return names

    def _records(self) -> Iterator[tuple[str, Columns | InputError]]:
        """Yield the place of each record, and the values of its fields by their names."""
        self._names  # noqa: B018 - digests are checked before anything is read
        joined = self._load_joined()
        for place, record in self._main_records():
            yield place, record if isinstance(record, InputError) else self._fields_of(record, joined)

    def _main_records(self) -> Iterator[tuple[str, Record | InputError]]:
        for name in self._names:
            if not self._is_table():
                yield name, (_properties(name), {})
                continue
            for number, columns in _read_table(self._trees.main, name):
                yield (
                    f"{posixpath.basename(name)}, row {number}",
                    (columns if isinstance(columns, InputError) else (_properties(name), columns)),
                )

    def _fields_of(self, record: Record, joined: Mapping[str, Record] | None) -> Columns | InputError:
        described = self.description
        other: Record | None = None
        try:
            if described.join is not None and joined is not None:
                other = joined.get(str(_value(described.join[0], record)))
            fields = {}
            for field in described.fields:
                if field.extract.files == described.files.name:
                    fields[field.name] = _value(field.extract, record)
                elif other is not None:
                    fields[field.name] = _value(field.extract, other)
        except InputError as error:
            return error
        return fields

    def _load_joined(self) -> dict[str, Record] | None:
        """Read the table that is joined; of rows with one key the first counts."""
        described = self.description
        if described.joined is None or described.join is None:
            return None
        joined: dict[str, Record] = {}
        for name in self._find_names(described.joined, self._trees.joined):
            for _, columns in _read_table(self._trees.joined, name):
                if not isinstance(columns, InputError):
                    record = _properties(name), columns
                    joined.setdefault(str(_value(described.join[1], record)), record)
        return joined

    def _unnamed(self, named: NamedFiles) -> Iterator[BadRow | NoPicture]:
        described = self.description
        for name in (self.path.name, *self._names, *self._find_archives()):
            named.add(name)
        if described.joined is not None:
            for name in self._find_names(described.joined, self._trees.joined):
                named.add(name)

        def is_named(name: str) -> bool:
            # What a description leaves out by name is spoken of.
            return name in named or _matches(name, described.files.excludes)

        yield from find_unnamed(FolderTree(self.path.parent), is_named, "the description")
        if described.files.archive is not None:
            yield from find_unnamed(self._trees.main, is_named, "the description")

    def _find_archives(self) -> list[str]:
        files = (self.description.files, self.description.joined)
        return [str(file.archive.path) for file in files if file is not None and file.archive is not None]

    def _defaults(self) -> Columns:
        described = self.description
        spelled = [field.name for field in described.fields]
        if described.url is None or find_columns(spelled, COLUMNS["acquired_from"]):
            return {}
        return {"acquired_from": described.url}

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
        registration = row.registration.model_copy(update={"owners": owners, "diligence": searches})
        return replace(row, registration=registration)


@dataclass(frozen=True)
class _Trees:
    """Where the image's files are, and those of the table that is joined to them."""

    main: FileTree
    joined: FileTree


def _image_bytes(image: Any, columns: Mapping[str, Any], place: str, tree: FileTree, max_bytes: int) -> tuple[str, bytes]:
    """Return the key and the bytes of an image that is given as bytes, as struct{bytes, path}, or by its file's name."""
    data, name = (image.get("bytes"), image.get("path")) if isinstance(image, dict) else (image, None)
    if isinstance(data, bytes):
        return str(name or columns.get("key") or place), data
    name = data if isinstance(data, str) else name
    if not isinstance(name, str) or not name:
        raise InputError("row has no image", code="image_missing")
    return name, tree.load(name, max_bytes)


def _properties(name: str) -> dict[str, str]:
    return {"content": name, "filename": posixpath.basename(name), "filepath": name, "fullpath": name}


def _value(extract: Extract, record: Record) -> Any:
    """Return a value of a record.

    Raises:
        InputError: the record has no such column.
    """
    properties, columns = record
    if extract.kind == "fileProperty":
        return extract.cut(properties[extract.value])
    if extract.value not in columns:
        raise InputError(f"row has no column {extract.value!r}, which the description names", code="row_invalid")
    return extract.cut(columns[extract.value])


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


def _is_included(name: str, files: CroissantFiles) -> bool:
    return _matches(name, files.includes) and not _matches(name, files.excludes)


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)


def _is_parquet(name: str) -> bool:
    return name.endswith(".parquet")


def _read_table(tree: FileTree, name: str) -> Iterator[tuple[int, Mapping[str, Any] | InputError]]:
    if _is_parquet(name) and isinstance(tree, FolderTree):
        path = tree.folder / name
        with open_parquet(path) as file:
            labels = find_labels(file.schema_arrow)
            yield from ((number, name_labels(columns, labels)) for number, columns in read_rows(file, path))
        return
    if _is_parquet(name):
        yield from ((number, row.columns) for number, row in enumerate(read_metadata(tree, name)))
        return
    with tree.open(name) as csv_file:
        yield from ((number, row.columns) for number, row in enumerate(read_csv_file(csv_file)))


def _count_parquet(path: Path) -> int:
    with open_parquet(path) as file:
        return int(file.metadata.num_rows)


def _open(path: Path, options: SourceOptions) -> CroissantSource:
    return CroissantSource(path / FILE_NAME if path.is_dir() else path, options)


def _has_description(path: Path) -> bool:
    return (path / FILE_NAME).is_file() if path.is_dir() else path.suffix in {".json", ".jsonld"}


KIND = SourceKind(CroissantSource.kind, _open, _has_description, is_certain=True)
