"""Tables with images in them, whatever file they lie in: which columns hold the images, and how a table row becomes items.

Rules, in order:

1. The image is a column `image` of struct{bytes, path} or of binary, or one called as img2dataset names it, by its encoding. A
   column of another name counts if it is a struct{bytes, path}.
2. A row's key is the struct's path, else its column `key` or `file_name`, else its place in the file. A column of lists gives
   an item for each image, whose key ends in the image's position.
3. Where several rows use one key, the key carries file and row as well; what has the bare key already keeps it.
4. A class label is its name (`class_labels`). What a downloader says of a row is honoured, see `columns.accept_download`.
5. Every other column is kept; what JSON has no word for is spelled as text, further binary columns in base64.

Source: https://huggingface.co/docs/datasets/about_dataset_features#image-feature; img2dataset's README, "Output format".
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from services.ingest.bulk.rows import BadRow, Row, refuse
from services.ingest.sources.class_labels import Labels, name_labels
from services.ingest.sources.column_names import IMAGE_COLUMNS, IMAGE_LIST_COLUMNS, find_columns
from services.ingest.sources.columns import accept_download, build_row
from services.ingest.sources.repeated_keys import RepeatedKeys
from services.ingest.sources.source import SourceOptions
from shared.errors import InputError, SleeveError

KEY_COLUMNS = ("key", "file_name")


@dataclass(frozen=True)
class ImageColumn:
    """The column that holds a table's images, one or a list of them in each row."""

    name: str
    is_list: bool = False


def find_image_column(schema: pa.Schema, file_name: str) -> ImageColumn:
    """Return the column that holds the images.

    Raises:
        InputError: there is none.
    """
    column = look_for_image_column(schema)
    if column is None:
        raise InputError(
            f"{file_name}: expected a column {', '.join(IMAGE_COLUMNS[:6])} or {IMAGE_LIST_COLUMNS[0]} of binary or "
            f"struct{{bytes, path}}, got {schema.names}",
            code="image_column_missing",
        )
    return column


def look_for_image_column(schema: pa.Schema) -> ImageColumn | None:
    """Return the column that holds the images; None where there is none."""
    names = list(dict.fromkeys(schema.names))
    for name in find_columns(names, IMAGE_COLUMNS) + find_columns(names, IMAGE_LIST_COLUMNS):
        kind = _type_of(schema, name)
        if _holds_bytes(kind) or (_is_list(kind) and _holds_bytes(kind.value_type)):
            return ImageColumn(name, _is_list(kind))
    for name in names:
        kind = _type_of(schema, name)
        if _is_image_struct(kind) or (_is_list(kind) and _is_image_struct(kind.value_type)):
            return ImageColumn(name, _is_list(kind))
    return None


def _type_of(schema: pa.Schema, name: str) -> pa.DataType:
    return schema.field(schema.names.index(name)).type


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _is_image_struct(kind: pa.DataType) -> bool:
    return bool(pa.types.is_struct(kind)) and kind.get_field_index("path") >= 0 and _holds_bytes(kind)


def _holds_bytes(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        index = kind.get_field_index("bytes")
        return index >= 0 and _holds_bytes(kind.field(index).type)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind))


@dataclass(frozen=True)
class TableReader:
    """Turns the rows of one table into items.

    Args:
        column: that of the images.
        labels: names of class labels, by column.
        options: data set, acquirer, limits.
        file_name: of the table's file, for the places of rows.
        shard: the file's path without its ending, for keys.
        repeated: keys that several rows use.
    """

    column: ImageColumn
    labels: Labels
    options: SourceOptions
    file_name: str
    shard: str
    repeated: RepeatedKeys

    def read(self, number: int, columns: dict[str, Any]) -> Iterator[Row | BadRow]:
        """Yield the items of a row, or what is wrong with it.

        Args:
            number: the row's, from 0.
            columns: as read, the image's among them.
        """
        image = columns.pop(self.column.name)
        if not self.column.is_list:
            yield self._build(number, columns, image, None)
            return
        if not image:
            yield refuse(self._place(number), InputError("row has no images", code="image_missing"))
        for position, part in enumerate(image or ()):
            yield self._build(number, columns, part, position)

    def _place(self, number: int) -> str:
        return f"{self.file_name}, row {number}"

    def _build(self, number: int, columns: Mapping[str, Any], image: Any, position: int | None) -> Row | BadRow:
        data, name = (image.get("bytes"), image.get("path")) if isinstance(image, dict) else (image, None)
        base = find_key(columns, name if position is None else None) or self._place(number)
        key = base if position is None else f"{base}/{position}"
        long_key = f"{self.shard}/{number}/{key}"
        try:
            downloaded = accept_download(columns)
            if not isinstance(data, bytes):
                raise InputError("row has no image bytes; files beside the table are not read", code="image_missing")
            named = name_labels(downloaded, self.labels)
            if base in self.repeated:
                return build_row(named, long_key, self.options, data, earlier=(key, downloaded))
            return build_row(named, key, self.options, data, earlier=(key, downloaded), spare_key=long_key)
        except SleeveError as error:
            return refuse(key, error)


def list_rows(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """Return the rows of a batch as Python has them; a cell that it has no value for is spelled as text."""
    try:
        return list(batch.to_pylist())
    except (ValueError, OverflowError, NotImplementedError, pa.ArrowException):
        cells = [[_to_python(cell) for cell in column] for column in batch.columns]
        return [dict(zip(batch.schema.names, row, strict=True)) for row in zip(*cells, strict=True)]


def _to_python(cell: pa.Scalar) -> Any:
    try:
        return cell.as_py()
    except (ValueError, OverflowError, NotImplementedError, pa.ArrowException):
        # A time beyond Python's years, or finer than its microseconds.
        return f"{getattr(cell, 'value', None)} ({cell.type})"


def find_key(columns: Mapping[str, Any], image_name: str | None) -> str | None:
    """Return what names the image of a row: its path, or a column of the row; None where nothing does."""
    name = image_name or next((columns[name] for name in find_columns(columns, KEY_COLUMNS) if columns[name]), None)
    return None if name is None else str(name)


def find_row_key(schema: pa.Schema, columns: Mapping[str, Any], file_name: str) -> str | None:
    """Return what names a row; None where nothing does.

    Raises:
        InputError: the table has no images.
    """
    column = find_image_column(schema, file_name)
    image = columns.get(column.name)
    return find_key(columns, image.get("path") if isinstance(image, dict) and not column.is_list else None)


def holds_images(path: Path) -> bool:
    """Say whether a Parquet file has a column of images; a file that cannot be read may have one."""
    try:
        return look_for_image_column(pq.read_schema(path)) is not None
    except (OSError, ValueError, pa.ArrowException):
        return True
