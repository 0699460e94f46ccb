"""Every kind of bulk source: the one table, and how what lies at a path is recognised.

Rules, in order:

1. A file is known by its name's ending, a folder by what is in it; `--kind` decides where that is not enough. A Parquet file
   without a column of images, but with one of URLs, is a URL list.
2. What could be two kinds is refused, not guessed.
3. Rows come in the same order as long as none of the source's `files` changes; only then may the first ones be skipped.

A new kind is a row of `KINDS`; docs/extending/bulk-source.md says what else it takes.
"""

from collections.abc import Mapping
from pathlib import Path

from services.ingest.sources import celeba, croissant, imagefolder, jsonl, parquet, url_list, webdataset
from services.ingest.sources.source import Source, SourceKind, SourceOptions
from shared.errors import InputError

KINDS: Mapping[str, SourceKind] = {
    kind.name: kind
    for kind in (
        imagefolder.KIND,
        webdataset.KIND,
        parquet.KIND,
        celeba.KIND,
        croissant.KIND,
        url_list.KIND,
        jsonl.KIND,
    )
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
    return KINDS[kind or recognise(path)].open(path, options)


def recognise(path: Path) -> str:
    """Name the kind of source at a path.

    Raises:
        InputError: no kind or several fit.
    """
    fitting = [kind for kind in KINDS.values() if kind.fits(path)]
    fitting = [kind for kind in fitting if kind.is_certain] or fitting
    if len(fitting) != 1:
        names = " and ".join(kind.name for kind in fitting)
        reason = f"{names} both fit; say which with --kind" if fitting else _explain_no_fit(path)
        raise InputError(f"expected one of {', '.join(KINDS)} at {path}: {reason}", code="source_unclear")
    return fitting[0].name


def _explain_no_fit(path: Path) -> str:
    if not path.is_dir():
        return f"no kind has files that end in {path.suffix!r}"
    names = " or ".join(imagefolder.METADATA_NAMES)
    return f"a folder of images needs {names}, one row an image with its file_name and what is known of it"
