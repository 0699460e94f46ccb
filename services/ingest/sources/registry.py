"""The registry of bulk sources: every module of `sources/kinds` states its kind, and there is no other list of them.

Rules, in order:

1. A file is known by its name's ending, a folder by what is in it; `--kind` decides where that is not enough.
2. A folder that describes itself is what it says. What could be two kinds otherwise is refused, not guessed.

docs/extending/bulk-source.md says how to add one.
"""

import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path

from services.ingest.sources.source import Source, SourceKind, SourceOptions
from shared.errors import InputError
from shared.regular_files import require_regular

_PACKAGE = "services.ingest.sources.kinds"
_FOLDER = Path(__file__).parent / "kinds"


def kind_names() -> list[str]:
    """Return the names of all kinds, in alphabetical order; no kind's module is imported."""
    return [module.name for module in pkgutil.iter_modules([str(_FOLDER)])]


@cache
def load_kinds() -> Mapping[str, SourceKind]:
    """Return all kinds by name, in alphabetical order.

    Raises:
        ValueError: a module states a kind of another name than its file's.
    """
    kinds: dict[str, SourceKind] = {}
    for name in kind_names():
        kind: SourceKind = import_module(f"{_PACKAGE}.{name}").KIND
        if kind.name != name:
            raise ValueError(f"expected {_PACKAGE}.{name} to state a KIND of that name, got {kind.name!r}")
        kinds[kind.name] = kind
    return kinds


def open_source(path: Path, options: SourceOptions, name: str | None = None) -> Source:
    """Open what lies at a path.

    Args:
        path: a file or folder.
        options: data set, acquirer, limits.
        name: of the kind, where it is not to be recognised.

    Raises:
        InputError: there is nothing at the path, or no kind or several fit it.
    """
    if not path.exists():
        raise InputError(f"expected a file or folder, got nothing at {path}", code="source_missing")
    require_regular(path)
    kinds = load_kinds()
    if name is not None and name not in kinds:
        raise InputError(f"expected a kind of {', '.join(kinds)}, got {name!r}", code="kind_unknown")
    kind = kinds[name] if name is not None else recognise(path)
    return kind.open(path, options)


def recognise(path: Path) -> SourceKind:
    """Return the kind of source at a path.

    Raises:
        InputError: no kind or several fit.
    """
    kinds = load_kinds()
    fitting = [kind for kind in kinds.values() if kind.fits(path)]
    fitting = [kind for kind in fitting if kind.is_certain] or fitting
    if len(fitting) != 1:
        names = " and ".join(kind.name for kind in fitting)
        reason = f"{names} both fit; say which with --kind" if fitting else _explain_no_fit(path)
        raise InputError(f"expected one of {', '.join(kinds)} at {path}: {reason}", code="source_unclear")
    return fitting[0]


def default_name(path: Path) -> str:
    """Name a data set after its folder or file.

    >>> default_name(Path("/data/icons.tar"))
    'icons'
    """
    whole = path.resolve()
    if whole.name == "croissant.json":
        return whole.parent.name
    endings = {ending for kind in load_kinds().values() for ending in kind.endings}
    return whole.stem if whole.suffix in endings else whole.name


def _explain_no_fit(path: Path) -> str:
    if path.suffix.lower() == ".zip":
        return "the archive holds no picture"
    if not path.is_dir():
        return f"no kind has files that end in {path.suffix!r}"
    return (
        "a folder of images needs metadata.jsonl or metadata.csv, one row an image with its file_name and what is known of it"
    )
