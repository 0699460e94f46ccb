"""A bulk source: where it is, which rows it has, and what it is opened with."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from services.ingest.bulk.rows import AnyRow
from shared.fetching.fetcher import Fetcher


@dataclass(frozen=True)
class SourceOptions:
    """What a source is opened with, beside its path.

    `licence` is that of rows which state none; `max_bytes` is the largest image, of which no more than one byte beyond is
    read; `make_fetcher` makes what fetches the images of a list, by default from public addresses only; `read_pages` asks for
    the rights statements of the pages that rows of a list name.
    """

    dataset: str
    acquirer: str
    max_bytes: int
    licence: str | None = None
    make_fetcher: Callable[[], Fetcher] = Fetcher
    read_pages: bool = False


class Source(Protocol):
    """A bulk source at a path."""

    @property
    def kind(self) -> str:
        """Its kind's name."""

    @property
    def path(self) -> Path:
        """Where it is."""

    def files(self) -> list[Path]:
        """The files and folders that decide which rows there are, and in which order."""

    def count(self) -> int | None:
        """How many rows there are, for progress; None where only reading everything would tell."""

    def rows(self, skip: int = 0) -> Iterator[AnyRow]:
        """The rows, but for the first `skip`, each with its bytes, their digest, or what is wrong with it."""


@dataclass(frozen=True)
class SourceKind:
    """A kind of source: how one is recognised, and how it is opened.

    Args:
        name: as `--kind` takes it.
        open: opens what lies at a path.
        fits: says whether what lies at a path, which exists, may be of this kind; reads names and heads, no rows.
        endings: of its files' names, in lower case; a data set that is called as its file is called so without them.
        is_certain: whether what fits is of this kind, whatever other kinds it fits: it describes itself.
    """

    name: str
    open: Callable[[Path, SourceOptions], Source]
    fits: Callable[[Path], bool]
    endings: tuple[str, ...] = ()
    is_certain: bool = False
