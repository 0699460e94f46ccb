"""A Croissant description read into what registration needs: where the images are, which columns go with them, whose they are.

Rules, in order:

1. Croissant 1.0 and 1.1 are read, in the spelling of the standard context; prefixes (`cr:`, `sc:`, `dct:`) may be written out.
2. Exactly one record set has an image field (data type `sc:ImageObject`); it is the one that is read.
3. Its fields come from the image's files by file property or column, or from one further table that a reference joins to them.
   A regular expression may cut a value. Zip archives are read where they lie.
4. Anything else is refused by name: half of a data set read in silence would be worse than none.

Source: https://github.com/mlcommons/croissant/blob/main/docs/croissant-spec-1.1.md
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.ingest.sources.croissant_fields import CroissantField, Extract, FieldParser, is_image_field
from services.ingest.sources.croissant_terms import invalid, local_name, objects, plain, texts, unsupported
from shared.errors import InputError
from shared.regular_files import open_regular

CONFORMS_TO = ("http://mlcommons.org/croissant/1.0", "http://mlcommons.org/croissant/1.1")
ZIP_TYPES = frozenset({"application/zip", "application/x-zip-compressed", "zip"})


@dataclass(frozen=True)
class CroissantFiles:
    """Where records are: one file with its digest, or the files that patterns match; in a zip archive where one is named."""

    name: str
    encoding: str
    path: str | None = None
    sha256: str | None = None
    includes: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    archive: "CroissantFiles | None" = None


@dataclass(frozen=True)
class Croissant:
    """What a description says."""

    licence: str | None
    url: str | None
    creators: tuple[tuple[str, str | None], ...]
    files: CroissantFiles
    fields: tuple[CroissantField, ...]
    joined: CroissantFiles | None = None
    join: tuple[Extract, Extract] | None = None

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
            content = plain(json.loads(file.read().decode("utf-8-sig")))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path.name} cannot be read as JSON: {error}", code="croissant_invalid") from error
    if not isinstance(content, dict) or not set(texts(content.get("conformsTo"))) & set(CONFORMS_TO):
        raise invalid(f"{path.name}: expected conformsTo {' or '.join(CONFORMS_TO)}")
    parser = FieldParser(objects(content, "recordSet"))
    fields = tuple(parser.parse(field) for field in objects(_find_record_set(content), "field"))
    if sum(field.is_image for field in fields) != 1:
        raise unsupported("more than one image field in a record set")
    main = next(field.extract.files for field in fields if field.is_image)
    others = {field.extract.files for field in fields} - {main}
    if len(others) > 1:
        raise unsupported(f"a record set over {len(others) + 1} files or file sets, where two can be joined")
    other = next(iter(others), None)
    join = _find_join(fields, main, other) if other is not None else None
    distribution = {
        str(resource.get("@id") or resource.get("name")): resource for resource in objects(content, "distribution")
    }
    return Croissant(
        licence=next(iter(texts(content.get("license"))), None),
        url=next(iter(texts(content.get("url"))), None),
        creators=tuple(_parse_creators(content)),
        files=_find_files(main, distribution),
        fields=fields,
        joined=_find_files(other, distribution) if other is not None else None,
        join=join,
    )


def _find_join(fields: tuple[CroissantField, ...], main: str, other: str) -> tuple[Extract, Extract]:
    """Return what of the image's files, and what of the other table, has to be equal."""
    for field in fields:
        if field.reference is None:
            continue
        ends = {field.extract.files: field.extract, field.reference.files: field.reference}
        if set(ends) == {main, other}:
            return ends[main], ends[other]
    raise unsupported(f"fields of {other!r} beside those of {main!r} without a reference that joins them")


def _parse_creators(content: Mapping[str, Any]) -> Iterator[tuple[str, str | None]]:
    creators = content.get("creator", [])
    for creator in creators if isinstance(creators, list) else [creators]:
        if isinstance(creator, str):
            yield creator, None
        elif isinstance(creator, dict) and isinstance(creator.get("name"), str):
            yield creator["name"], creator["url"] if isinstance(creator.get("url"), str) else None


def _find_record_set(content: Mapping[str, Any]) -> dict[str, Any]:
    record_sets = [
        record_set for record_set in objects(content, "recordSet") if any(map(is_image_field, objects(record_set, "field")))
    ]
    if len(record_sets) != 1:
        raise unsupported(f"{len(record_sets)} record sets with an image field, where exactly one is read")
    for construct in ("data", "annotation"):
        if construct in record_sets[0]:
            raise unsupported(f"{construct} in the record set")
    return record_sets[0]


def _find_files(name: str, distribution: Mapping[str, Mapping[str, Any]]) -> CroissantFiles:
    if name not in distribution:
        raise invalid(f"distribution: expected {name!r}, which the record set names, got {sorted(distribution)}")
    files = distribution[name]
    archive = _find_archive(name, files, distribution)
    encoding = next(iter(texts(files.get("encodingFormat"))), "")
    if local_name(str(files.get("@type"))) == "FileSet":
        includes, excludes = tuple(texts(files.get("includes"))), tuple(texts(files.get("excludes")))
        return CroissantFiles(name, encoding, includes=includes, excludes=excludes, archive=archive)
    url, digest = files.get("contentUrl"), files.get("sha256")
    if not isinstance(url, str) or not (isinstance(digest, str) or archive):
        raise invalid(f"FileObject {name!r}: expected contentUrl and sha256")
    # What was published under a URL is expected beside the description; its digest says whether it is the same.
    path = url.partition("?")[0].rpartition("/")[2] if "://" in url else url
    sha256 = digest.lower() if isinstance(digest, str) and archive is None else None
    return CroissantFiles(name, encoding, path=path, sha256=sha256, archive=archive)


def _find_archive(name: str, files: Mapping[str, Any], distribution: Mapping[str, Mapping[str, Any]]) -> CroissantFiles | None:
    for container in texts(files.get("containedIn")):
        content = distribution.get(container, {})
        encoding = next(iter(texts(content.get("encodingFormat"))), "")
        # A repository is the folder that the description lies in.
        if encoding.startswith("git+"):
            continue
        if encoding not in ZIP_TYPES and not str(content.get("contentUrl", "")).endswith(".zip"):
            raise unsupported(f"{name!r} contained in the archive {container!r}; unpack it and describe the folder")
        archive = _find_files(container, distribution)
        if archive.path is None or archive.archive is not None:
            raise unsupported(f"the archive {container!r}, which is no single file")
        return archive
    return None
