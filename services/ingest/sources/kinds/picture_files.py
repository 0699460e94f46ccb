"""A folder or zip archive of pictures without a metadata file: class folders and splits, or img2dataset's `files` output.

Rules, in order:

1. A picture is known by its content, and its key is its path. A row for each of them, in the order of the files.
2. `<name>.json` beside `<name>.jpg` has its columns, `<name>.txt` its caption. What the downloader says of it is honoured.
3. Where no picture has such a file, the folder that a picture lies in is its label, and a folder called as a split its split.
   Both are kept under `extra`.
4. Every other file has a line (`unnamed_files`).

Source: https://huggingface.co/docs/datasets/image_load#imagefolder; img2dataset's README, "File structure".
"""

import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, islice
from pathlib import Path
from typing import Any

from services.ingest.bulk.rows import BadRow, NoPicture, Row, refuse
from services.ingest.sources.columns import accept_download, build_row
from services.ingest.sources.file_contents import judge_content
from services.ingest.sources.file_trees import FileTree, FolderTree, TreeFile, load_head, open_tree
from services.ingest.sources.kinds.celeba import IMAGES, find_part
from services.ingest.sources.metadata_files import METADATA_NAMES, parse_line
from services.ingest.sources.source import SourceKind, SourceOptions
from services.ingest.sources.tables import holds_images
from services.ingest.sources.unnamed_files import has_pictures, judge_unnamed
from shared.errors import InputError, SleeveError

# Those of https://huggingface.co/docs/datasets/repository_structure#splits.
SPLITS = frozenset({"train", "training", "test", "testing", "eval", "evaluation", "validation", "valid", "val", "dev"})
COLUMN_SUFFIXES = (".json", ".txt")
# As of a tar's sample.
MAX_COLUMNS_BYTES = 2**20
ENDINGS = (".zip",)


@dataclass(frozen=True)
class PictureFiles:
    """A source of this kind."""

    path: Path
    options: SourceOptions
    kind = "picture_files"

    @cached_property
    def tree(self) -> FileTree:
        """Its files."""
        return open_tree(self.path)

    def files(self) -> list[Path]:
        """The folders whose files are the rows, or the archive."""
        if not isinstance(self.tree, FolderTree):
            return [self.path]
        return sorted({(self.path / file.name).parent for file in self.tree.walk()} | {self.path})

    def count(self) -> int:
        """Count the files, but for those that describe others."""
        return sum(1 for file in self.tree.walk() if posixpath.splitext(file.name)[1].lower() not in COLUMN_SUFFIXES)

    def rows(self, skip: int = 0) -> Iterator[Row | BadRow | NoPicture]:
        """Yield a row for each picture and a line for each other file, but for the first `skip`."""
        for group in self._groups():
            pictures = {file.name for file in group if self._is_picture(file)}
            described = {file.name for file in group if pictures and _is_description(file.name)}
            for file in group:
                if file.name in described:
                    continue
                if skip:
                    skip -= 1
                elif file.error is None and file.name in pictures:
                    yield self._read(file.name, described)
                else:
                    yield self._judge(file)

    def _groups(self) -> Iterator[list[TreeFile]]:
        """Yield the files of one name and different endings together, in the order of their names."""
        for _, files in groupby(self.tree.walk(), key=lambda file: posixpath.dirname(file.name)):
            stems: dict[str, list[TreeFile]] = {}
            for file in files:
                stems.setdefault(posixpath.splitext(file.name)[0], []).append(file)
            yield from stems.values()

    def _is_picture(self, file: TreeFile) -> bool:
        if file.error is not None or _is_description(file.name):
            return False
        try:
            return judge_content(file.name, load_head(self.tree, file.name)) in {"picture", "damaged picture"}
        except SleeveError:
            return False

    def _judge(self, file: TreeFile) -> BadRow | NoPicture:
        # img2dataset writes a table of what it did beside each folder of pictures.
        is_table = file.name.endswith(".parquet") and file.error is None and isinstance(self.tree, FolderTree)
        if is_table and not holds_images(self.path / file.name):
            return NoPicture(file.name)
        return judge_unnamed(self.tree, file, "it cannot be read here")

    def _read(self, name: str, described: Sequence[str] | set[str]) -> Row | BadRow:
        try:
            columns = self._columns(name, described)
            return build_row(columns, name, self.options, self.tree.load(name, self.options.max_bytes))
        except SleeveError as error:
            return refuse(name, error)

    def _columns(self, name: str, described: Sequence[str] | set[str]) -> dict[str, Any]:
        columns: dict[str, Any] = {}
        for description in sorted(described):
            data = self.tree.load(description, MAX_COLUMNS_BYTES)
            if len(data) > MAX_COLUMNS_BYTES:
                raise InputError(
                    f"expected at most {MAX_COLUMNS_BYTES:,} bytes in {description}, got more", code="row_invalid"
                )
            if description.lower().endswith(".txt"):
                columns.setdefault("caption", data.decode("utf-8", errors="replace").strip())
                continue
            parsed = parse_line(data)
            if isinstance(parsed, InputError):
                raise parsed
            columns = {**columns, **accept_download(parsed)}
        return columns if described else {**_place(name), **columns}


def _is_description(name: str) -> bool:
    return posixpath.splitext(name)[1].lower() in COLUMN_SUFFIXES


def _place(name: str) -> dict[str, str]:
    """Return what a picture's folders say of it.

    >>> _place("train/cat/1.png"), _place("1.png")
    ({'split': 'train', 'label': 'cat'}, {})
    """
    folders = name.split("/")[:-1]
    split = next((folder for folder in folders if folder.lower() in SPLITS), None)
    label = folders[-1] if folders and folders[-1] != split else None
    return {column: folder for column, folder in (("split", split), ("label", label)) if folder is not None}


def _has_pictures_only(path: Path) -> bool:
    if path.is_dir():
        is_other = any(path.rglob("*.tar")) or any(path.glob("*.arrow")) or find_part(path, IMAGES) is not None
        return not is_other and not _has_metadata(path) and not _has_tables(path) and has_pictures(path)
    return path.suffix.lower() in ENDINGS and not _has_metadata(path) and has_pictures(path)


def _has_metadata(path: Path) -> bool:
    return any(posixpath.basename(file.name) in METADATA_NAMES for file in open_tree(path).walk())


def _has_tables(path: Path) -> bool:
    return any(holds_images(table) for table in islice(sorted(path.rglob("*.parquet")), 1))


KIND = SourceKind(PictureFiles.kind, PictureFiles, _has_pictures_only, endings=ENDINGS)
