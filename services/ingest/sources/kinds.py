"""One way in for every bulk source: what lies at a path says which kind it is.

Rules, in order:

1. A file is known by its name's ending, a folder by what is in it; `--kind` decides where that is not enough. A Parquet file
   without a column of images, but with one of URLs, is a URL list.
2. What could be two kinds is refused, not guessed.
3. Rows come in the same order as long as none of the source's `files` changes; only then may the first ones be skipped.
"""

from collections.abc import Callable
from pathlib import Path

from services.ingest.sources.celeba import IMAGES, CelebA, find_part
from services.ingest.sources.croissant import FILE_NAME, CroissantSource
from services.ingest.sources.imagefolder import METADATA_NAMES, ImageFolder
from services.ingest.sources.jsonl import JsonLines
from services.ingest.sources.parquet import IMAGE_COLUMNS, Parquet, open_parquet
from services.ingest.sources.source import Source, SourceOptions
from services.ingest.sources.url_list import URL_COLUMNS, UrlList
from services.ingest.sources.webdataset import WebDataset
from shared.errors import InputError


def _croissant(path: Path, options: SourceOptions) -> Source:
    return CroissantSource(path / FILE_NAME if path.is_dir() else path, options)


def _url_list(path: Path, options: SourceOptions) -> Source:
    return UrlList(path, options, options.make_fetcher())


KINDS: dict[str, Callable[[Path, SourceOptions], Source]] = {
    "imagefolder": ImageFolder,
    "webdataset": WebDataset,
    "parquet": Parquet,
    "celeba": CelebA,
    "croissant": _croissant,
    "url_list": _url_list,
    "jsonl": JsonLines,
}


def open_source(path: Path, options: SourceOptions, kind: str | None = None) -> Source:
    """Open what lies at a path.

    Args:
        path: a file or folder.
        options: data set, acquirer, limits.
        kind: a name in `KINDS`, where it is not to be recognised.

    Raises:
        InputError: there is nothing at the path, or no kind or several fit it.
    """
    if not path.exists():
        raise InputError(f"expected a file or folder, got nothing at {path}", code="source_missing")
    if kind is not None and kind not in KINDS:
        raise InputError(f"expected a kind of {', '.join(KINDS)}, got {kind!r}", code="kind_unknown")
    return KINDS[kind or recognise(path)](path, options)


def recognise(path: Path) -> str:
    """Name the kind of source at a path.

    Raises:
        InputError: no kind or several fit.
    """
    found = _kinds_of_folder(path) if path.is_dir() else _kinds_of_file(path)
    if len(found) != 1:
        fits = f"{' and '.join(found)} both fit; say which with --kind" if found else _say_missing(path)
        raise InputError(f"expected one of {', '.join(KINDS)} at {path}: {fits}", code="source_unclear")
    return found[0]


def _say_missing(path: Path) -> str:
    if not path.is_dir():
        return f"no kind has files that end in {path.suffix!r}"
    wanted = " or ".join(METADATA_NAMES)
    return f"a folder of images needs {wanted}, one row an image with its file_name and what is known of it"


def _kinds_of_file(path: Path) -> list[str]:
    if path.suffix == ".parquet":
        return ["url_list" if _names_urls_only(path) else "parquet"]
    endings = {".tar": "webdataset", ".json": "croissant", ".jsonld": "croissant", ".csv": "url_list"}
    endings |= {".jsonl": "jsonl", ".ndjson": "jsonl"}
    return [endings[path.suffix]] if path.suffix in endings else []


def _names_urls_only(path: Path) -> bool:
    with open_parquet(path) as file:
        names = {name.lower() for name in file.schema_arrow.names}
    return not names.isdisjoint(URL_COLUMNS) and names.isdisjoint(IMAGE_COLUMNS)


def _kinds_of_folder(path: Path) -> list[str]:
    if (path / FILE_NAME).is_file():
        return ["croissant"]
    found = []
    if any((path / name).is_file() for name in METADATA_NAMES):
        found.append("imagefolder")
    if find_part(path, IMAGES) is not None:
        found.append("celeba")
    # img2dataset writes a Parquet file of statuses beside each tar; the images are in the tar.
    if any(path.glob("*.tar")):
        found.append("webdataset")
    elif any(path.glob("*.parquet")):
        found.append("parquet")
    return found
