"""Hugging Face imagefolder: a folder of images with `metadata.jsonl`, `.csv` or `.parquet`, column `file_name`; zipped, too.

Rules, in order:

1. Metadata files lie in the folder itself or in those below it, as splits have them. A `file_name` is relative to its own.
2. The key of a row is its file's path below the folder.
3. A path with backslashes is read as one with slashes, unless a file has that very name.
4. A picture that no row names is refused by its name, and every other file has a line (`unnamed_files`).

Source: https://huggingface.co/docs/datasets/image_dataset#imagefolder
"""

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from services.ingest.bulk.rows import BadRow, NoPicture, Row, refuse
from services.ingest.sources.column_names import FILE_COLUMNS, find_columns
from services.ingest.sources.columns import build_row, describe_columns
from services.ingest.sources.csv_files import SURPLUS, CsvRow
from services.ingest.sources.file_trees import FileTree, FolderTree, open_tree
from services.ingest.sources.metadata_files import METADATA_NAMES, read_metadata
from services.ingest.sources.source import SourceKind, SourceOptions
from services.ingest.sources.unnamed_files import NamedFiles, find_unnamed, normal_name
from shared.errors import InputError, SleeveError

ENDINGS = (".zip",)


@dataclass(frozen=True)
class ImageFolder:
    """A source of this kind."""

    path: Path
    options: SourceOptions
    kind = "imagefolder"

    @cached_property
    def tree(self) -> FileTree:
        """Its files."""
        return open_tree(self.path)

    @cached_property
    def metadata_names(self) -> list[str]:
        """The metadata files, by their paths.

        Raises:
            InputError: there is none, or a folder has two.
        """
        return find_metadata(self.tree, self.path)

    def files(self) -> list[Path]:
        """The files that decide which rows there are, and in which order."""
        if not isinstance(self.tree, FolderTree):
            return [self.path]
        return [self.path / name for name in self.metadata_names]

    def count(self) -> int:
        """Count the metadata rows."""
        return sum(1 for name in self.metadata_names for _ in read_metadata(self.tree, name))

    def rows(self, skip: int = 0) -> Iterator[Row | BadRow | NoPicture]:
        """Yield the rows, but for the first `skip`, then a line for each file that no row names."""
        named = NamedFiles()
        for name in self.metadata_names:
            named.add(name)
        position = 0
        for place, row in self._metadata_rows():
            position += 1
            try:
                if isinstance(row.columns, InputError):
                    raise row.columns
                column, name = _file_name(row.columns, posixpath.dirname(place), self.tree)
                named.add(name)
                if position > skip:
                    yield self._build(row.columns, row.notes, column, name)
            except SleeveError as error:
                if position > skip:
                    yield refuse(place, error)
        unnamed = find_unnamed(self.tree, named.__contains__, " or ".join(self.metadata_names))
        yield from islice(unnamed, max(0, skip - position), None)

    def _metadata_rows(self) -> Iterator[tuple[str, CsvRow]]:
        for name in self.metadata_names:
            folder = posixpath.dirname(name)
            for row in read_metadata(self.tree, name):
                yield posixpath.join(folder, f"line {row.number}"), row

    def _build(self, columns: Mapping[str, Any], notes: Mapping[str, str], column: str, name: str) -> Row | BadRow:
        rest = {other: value for other, value in columns.items() if other != column}
        try:
            data = self.tree.load(name, self.options.max_bytes)
            earlier = str(columns[column]), {other: rest[other] for other in rest if other != SURPLUS}
            return build_row(rest, name, self.options, data, notes=notes, earlier=earlier)
        except SleeveError as error:
            return refuse(str(columns[column]), error)


def find_metadata(tree: FileTree, path: Path) -> list[str]:
    """Return the metadata files of an imagefolder, in the order of its files.

    Raises:
        InputError: there is none, or a folder has two.
    """
    names = [file.name for file in tree.walk() if posixpath.basename(file.name) in METADATA_NAMES]
    folders = [posixpath.dirname(name) for name in names]
    if not names or len(set(folders)) < len(folders):
        raise InputError(
            f"expected one of {', '.join(METADATA_NAMES)} in a folder of {path}, got {len(names)}", code="metadata_missing"
        )
    return names


def count_rows(folder: Path) -> int:
    """Count the metadata rows of an imagefolder, for progress."""
    return ImageFolder(folder, SourceOptions("", "", 0)).count()


def read_imagefolder(folder: Path, dataset: str, acquirer: str, max_bytes: int) -> Iterator[Row | BadRow | NoPicture]:
    """Yield the rows of an imagefolder, each with its bytes, or what is wrong with it.

    Args:
        folder: holds the metadata file; images are looked for below it and nowhere else.
        dataset: which data set the items belong to.
        acquirer: who is responsible for obtaining them.
        max_bytes: no more of a file is read than one byte beyond this.

    Raises:
        InputError: the folder or its metadata file is missing.
    """
    return ImageFolder(folder, SourceOptions(dataset, acquirer, max_bytes)).rows()


def _file_name(columns: Mapping[str, Any], folder: str, tree: FileTree) -> tuple[str, str]:
    """Return the column that names a row's file, and the file's path in the tree.

    Raises:
        InputError: no column does.
    """
    column = next((name for name in find_columns(columns, FILE_COLUMNS) if isinstance(columns[name], str)), None)
    if column is None or not columns[column].strip():
        raise InputError(
            f"row has no file_name; expected a column file_name, got {describe_columns(columns)}", code="row_invalid"
        )
    name = posixpath.join(folder, columns[column])
    if "\\" in name and not tree.exists(name):
        name = name.replace("\\", "/")
    return column, name if name.startswith(("/", "../")) else normal_name(name)


def _has_metadata(path: Path) -> bool:
    if path.is_dir():
        folders = [path, *(child for child in sorted(path.iterdir()) if child.is_dir())]
        return any((folder / name).is_file() for folder in folders for name in METADATA_NAMES)
    if path.suffix.lower() not in ENDINGS:
        return False
    return any(posixpath.basename(file.name) in METADATA_NAMES for file in open_tree(path).walk())


KIND = SourceKind(ImageFolder.kind, ImageFolder, _has_metadata, endings=ENDINGS)
