"""A Croissant description read into what registration needs: where the images are, which columns go with them, whose they are.

Rules, in order:

1. Croissant 1.0 and 1.1 are read, in the spelling of the standard context; prefixes (`cr:`, `sc:`, `dct:`) may be written out.
2. Exactly one record set has an image field (data type `sc:ImageObject`); it is the one that is read.
3. All its fields come from one FileSet or one FileObject, by file property or by column. Joins, sub-fields, inline data,
   annotations, archives and transforms are refused by name: half of a data set read in silence would be worse than none.

Source: https://github.com/mlcommons/croissant/blob/main/docs/croissant-spec-1.1.md
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from shared.errors import InputError
from shared.regular_files import open_regular

CONFORMS_TO = ("http://mlcommons.org/croissant/1.0", "http://mlcommons.org/croissant/1.1")
PREFIXES = ("cr:", "sc:", "dct:", "http://mlcommons.org/croissant/", "https://schema.org/", "http://schema.org/")
IMAGE_TYPE = "ImageObject"
FILE_PROPERTIES = ("content", "filename", "filepath", "fullpath")
# A field may say no more of its source than this; anything else would change its values.
SOURCE_KEYS = {"fileSet", "fileObject", "extract", "@id", "@type"}
# Hugging Face describes the bytes within its image column so (its Croissant export, `transform` of the image field).
BYTES_TRANSFORM = {"jsonPath": "bytes"}


@dataclass(frozen=True)
class CroissantField:
    """One field: its name, and the column or file property that its value is taken from."""

    name: str
    kind: Literal["column", "fileProperty"]
    value: str
    is_image: bool


@dataclass(frozen=True)
class CroissantFiles:
    """Where the records are: one file with its digest, or the files that patterns match."""

    name: str
    encoding: str
    path: str | None = None
    sha256: str | None = None
    includes: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Croissant:
    """What a description says."""

    licence: str | None
    url: str | None
    creators: tuple[tuple[str, str | None], ...]
    files: CroissantFiles
    fields: tuple[CroissantField, ...]

    @property
    def image(self) -> CroissantField:
        """The field that holds the images."""
        return next(field for field in self.fields if field.is_image)


def load_croissant(path: Path) -> Croissant:
    """Read a description.

    Raises:
        InputError: it is no Croissant, or has a construct that is not supported; the message names it.
    """
    try:
        with open_regular(path) as file:
            content = _plain(json.loads(file.read().decode("utf-8-sig")))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path.name} cannot be read as JSON: {error}", code="croissant_invalid") from error
    if not isinstance(content, dict) or not set(_texts(content.get("conformsTo"))) & set(CONFORMS_TO):
        raise _invalid(f"{path.name}: expected conformsTo {' or '.join(CONFORMS_TO)}")
    record_set = _find_record_set(content)
    fields = tuple(_parse_field(field) for field in _objects(record_set, "field"))
    if sum(field.is_image for field in fields) != 1:
        raise _unsupported("more than one image field in a record set")
    return Croissant(
        licence=next(iter(_texts(content.get("license"))), None),
        url=next(iter(_texts(content.get("url"))), None),
        creators=tuple(_parse_creators(content)),
        files=_find_files(content, record_set),
        fields=fields,
    )


def _invalid(message: str) -> InputError:
    return InputError(message, code="croissant_invalid")


def _unsupported(construct: str) -> InputError:
    return InputError(
        f"Croissant construct not supported: {construct}; expected image files or one table", code="croissant_unsupported"
    )


def _plain(value: Any) -> Any:
    """Drop the prefixes of the standard context from every key."""
    if isinstance(value, dict):
        return {_local(key): _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list) else value


def _local(name: str) -> str:
    prefix = next((prefix for prefix in PREFIXES if name.startswith(prefix)), "")
    return name.removeprefix(prefix)


def _objects(parent: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    value = parent.get(key, [])
    objects = value if isinstance(value, list) else [value]
    if not all(isinstance(part, dict) for part in objects):
        raise _invalid(f"{key}: expected objects, got {type(objects[0]).__name__}")
    return objects


def _texts(value: Any) -> list[str]:
    """Read one or many texts, URLs, or objects with an `@id` or `url`."""
    values = value if isinstance(value, list) else [value]
    texts = (part.get("@id") or part.get("url") if isinstance(part, dict) else part for part in values)
    return [part for part in texts if isinstance(part, str) and part]


def _parse_creators(content: Mapping[str, Any]) -> Iterator[tuple[str, str | None]]:
    creators = content.get("creator", [])
    for creator in creators if isinstance(creators, list) else [creators]:
        if isinstance(creator, str):
            yield creator, None
        elif isinstance(creator, dict) and isinstance(creator.get("name"), str):
            yield creator["name"], creator["url"] if isinstance(creator.get("url"), str) else None


def _is_image(field: Mapping[str, Any]) -> bool:
    return IMAGE_TYPE in {_local(kind) for kind in _texts(field.get("dataType"))}


def _find_record_set(content: Mapping[str, Any]) -> dict[str, Any]:
    record_sets = [
        record_set for record_set in _objects(content, "recordSet") if any(map(_is_image, _objects(record_set, "field")))
    ]
    if len(record_sets) != 1:
        raise _unsupported(f"{len(record_sets)} record sets with an image field, where exactly one is read")
    for construct in ("data", "annotation"):
        if construct in record_sets[0]:
            raise _unsupported(f"{construct} in the record set")
    return record_sets[0]


def _parse_field(field: Mapping[str, Any]) -> CroissantField:
    name = str(field.get("name") or field.get("@id") or "").rpartition("/")[2]
    source = field.get("source")
    if not name or not isinstance(source, dict):
        raise _unsupported(f"field {name!r} without a name or a source")
    for construct in ("subField", "references", "parentField", "annotation"):
        if field.get(construct):
            raise _unsupported(f"{construct} in field {name!r}")
    is_image = _is_image(field)
    extra = source.keys() - SOURCE_KEYS
    if extra and not (is_image and extra == {"transform"} and source["transform"] in (BYTES_TRANSFORM, [BYTES_TRANSFORM])):
        raise _unsupported(f"{', '.join(sorted(extra))} in the source of field {name!r}")
    extract = source.get("extract")
    if not isinstance(extract, dict) or len(extract) != 1:
        raise _unsupported(f"a source of field {name!r} without exactly one extract")
    [(kind, value)] = extract.items()
    if kind == "column" and isinstance(value, str):
        return CroissantField(name, "column", value, is_image)
    if kind == "fileProperty" and value in FILE_PROPERTIES:
        return CroissantField(name, "fileProperty", value, is_image)
    raise _unsupported(f"extract {kind} {value!r} in field {name!r}")


def _find_files(content: Mapping[str, Any], record_set: Mapping[str, Any]) -> CroissantFiles:
    sources = [field["source"] for field in _objects(record_set, "field")]
    source_names = {name for source in sources for kind in ("fileSet", "fileObject") for name in _texts(source.get(kind))}
    if len(source_names) != 1:
        raise _unsupported(f"a record set over {len(source_names)} files or file sets, where exactly one is read")
    distribution = {
        str(resource.get("@id") or resource.get("name")): resource for resource in _objects(content, "distribution")
    }
    [name] = source_names
    if name not in distribution:
        raise _invalid(f"distribution: expected {name!r}, which the record set names, got {sorted(distribution)}")
    return _parse_files(name, distribution[name], distribution)


def _parse_files(name: str, files: Mapping[str, Any], distribution: Mapping[str, Mapping[str, Any]]) -> CroissantFiles:
    for container in _texts(files.get("containedIn")):
        # A repository is the folder that the description lies in; an archive would have to be unpacked.
        if not str(distribution.get(container, {}).get("encodingFormat", "")).startswith("git+"):
            raise _unsupported(f"{name!r} contained in the archive {container!r}; unpack it and describe the folder")
    encoding = next(iter(_texts(files.get("encodingFormat"))), "")
    if _local(str(files.get("@type"))) == "FileSet":
        includes, excludes = tuple(_texts(files.get("includes"))), tuple(_texts(files.get("excludes")))
        return CroissantFiles(name, encoding, includes=includes, excludes=excludes)
    url, digest = files.get("contentUrl"), files.get("sha256")
    if not isinstance(url, str) or not isinstance(digest, str):
        raise _invalid(f"FileObject {name!r}: expected contentUrl and sha256")
    # What was published under a URL is expected beside the description; its digest says whether it is the same.
    local = url.partition("?")[0].rpartition("/")[2] if "://" in url else url
    return CroissantFiles(name, encoding, path=local, sha256=digest.lower())
