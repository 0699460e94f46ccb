"""The fields of a Croissant record set: which value of which file each of them is.

Rules, in order:

1. A value is a column of a table or a property of a file. A field may name another field as its source.
2. A transform is a regular expression, of which the first group that matched is the value, or `bytes` of an image's column.
3. Expressions come from strangers: one that could run for long is refused, and no more than a path's length is searched.
4. A reference to another file joins two tables; one to a record set with its data inside says what a value may be, no more.

Source: Croissant 1.1, "Fields", "Transforms", "Joins"; the matching, mlcroissant's `apply_transform_fn`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from services.ingest.sources.croissant_terms import local_name, objects, texts, unsupported

IMAGE_TYPE = "ImageObject"
FILE_PROPERTIES = ("content", "filename", "filepath", "fullpath")
# A source may say no more than this; anything else would change its values.
SOURCE_KEYS = {"fileSet", "fileObject", "extract", "transform", "@id", "@type"}
# Hugging Face describes the bytes within its image column so (its Croissant export, `transform` of the image field).
BYTES_TRANSFORM = {"jsonPath": "bytes"}
# Our own bounds. A repeated group can take exponential time; a few repeats of signs on a short text cannot.
MAX_PATTERN_CHARS = 500
MAX_REPEATS = 3
MAX_SEARCHED_CHARS = 300
_REPEATED_GROUP = re.compile(r"\)(?:[+*]|\{)")
_REPEAT = re.compile(r"(?<!\\)[+*{]")
# Fields that name fields that name fields …
_MAX_DEPTH = 5


@dataclass(frozen=True)
class Extract:
    """A value of a record: whose it is, which column or file property, and what cuts it."""

    files: str
    kind: Literal["column", "fileProperty"]
    value: str
    patterns: tuple[re.Pattern[str], ...] = ()

    def cut(self, value: Any) -> Any:
        """Return the value as the patterns leave it.

        >>> Extract("a", "column", "b", (re.compile("([0-9]+)[.]jpg"),)).cut("12.jpg")
        '12'
        """
        for pattern in self.patterns:
            match = pattern.match(str(value)[:MAX_SEARCHED_CHARS]) if value is not None else None
            if match is not None:
                value = next((group for group in match.groups() if group is not None), value)
        return value


@dataclass(frozen=True)
class CroissantField:
    """One field: its name, its value, whether it holds the images, and what it refers to in another file."""

    name: str
    extract: Extract
    is_image: bool
    reference: Extract | None = None


def is_image_field(field: Mapping[str, Any]) -> bool:
    """Say whether a field holds images."""
    return IMAGE_TYPE in {local_name(kind) for kind in texts(field.get("dataType"))}


class FieldParser:
    """Reads fields; those that others name are found in all record sets.

    Args:
        record_sets: of the description.
    """

    def __init__(self, record_sets: Sequence[Mapping[str, Any]]) -> None:
        self._fields = {str(field.get("@id")): field for records in record_sets for field in objects(records, "field")}
        inline = [records for records in record_sets if "data" in records]
        self._inline = {str(field.get("@id")) for records in inline for field in objects(records, "field")}

    def parse(self, field: Mapping[str, Any]) -> CroissantField:
        """Read one field.

        Raises:
            InputError: it has a construct that is not read.
        """
        name = str(field.get("name") or field.get("@id") or "").rpartition("/")[2]
        for construct in ("parentField", "annotation"):
            if field.get(construct):
                raise unsupported(f"{construct} in field {name!r}")
        is_image = is_image_field(field)
        source = field.get("source")
        if field.get("subField"):
            if is_image:
                raise unsupported(f"subField in field {name!r}")
            # A table within a column: the column is kept whole.
            source = source or objects(field, "subField")[0].get("source")
        if not name or not isinstance(source, dict):
            raise unsupported(f"field {name!r} without a name or a source")
        extract = self._parse_source(source, name, is_image=is_image)
        return CroissantField(name, extract, is_image, self._parse_reference(field.get("references"), name))

    def _parse_reference(self, reference: Any, name: str) -> Extract | None:
        if not reference:
            return None
        if not isinstance(reference, dict):
            raise unsupported(f"references in field {name!r}")
        if set(texts(reference.get("field"))) & self._inline:
            return None
        return self._parse_source(reference, name)

    def _parse_source(self, source: Mapping[str, Any], name: str, depth: int = 0, *, is_image: bool = False) -> Extract:
        if "field" in source:
            named = [self._fields[field] for field in texts(source["field"]) if field in self._fields]
            if len(named) != 1 or depth == _MAX_DEPTH or not isinstance(named[0].get("source"), dict):
                raise unsupported(f"the field that is the source of field {name!r}")
            inner = self._parse_source(named[0]["source"], name, depth + 1, is_image=is_image)
            patterns = _parse_transforms(source.get("transform"), name, is_image=is_image)
            return Extract(inner.files, inner.kind, inner.value, inner.patterns + patterns)
        if extra := source.keys() - SOURCE_KEYS:
            raise unsupported(f"{', '.join(sorted(extra))} in the source of field {name!r}")
        files = [file for kind in ("fileSet", "fileObject") for file in texts(source.get(kind))]
        extract = source.get("extract")
        if not isinstance(extract, dict) or len(extract) != 1 or len(files) != 1:
            raise unsupported(f"a source of field {name!r} without exactly one file and one extract")
        [(kind, value)] = extract.items()
        patterns = _parse_transforms(source.get("transform"), name, is_image=is_image)
        if kind == "column" and isinstance(value, str):
            return Extract(files[0], "column", value, patterns)
        if kind == "fileProperty" and value in FILE_PROPERTIES:
            return Extract(files[0], "fileProperty", value, patterns)
        raise unsupported(f"extract {kind} {value!r} in field {name!r}")


def _parse_transforms(transforms: Any, name: str, *, is_image: bool) -> tuple[re.Pattern[str], ...]:
    patterns = []
    for transform in transforms if isinstance(transforms, list) else [transforms] if transforms else []:
        if is_image and transform == BYTES_TRANSFORM:
            continue
        if is_image or not isinstance(transform, dict) or set(transform) != {"regex"}:
            raise unsupported(f"transform in the source of field {name!r}")
        patterns.append(_compile(str(transform["regex"]), name))
    return tuple(patterns)


def _compile(text: str, name: str) -> re.Pattern[str]:
    if len(text) > MAX_PATTERN_CHARS or _REPEATED_GROUP.search(text) or len(_REPEAT.findall(text)) > MAX_REPEATS:
        raise unsupported(f"a regex of field {name!r} that could run for long")
    try:
        return re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        raise unsupported(f"a regex of field {name!r} that is none: {error}") from error
