"""Lines for the files of a source that no row names: none of them is passed over in silence.

Rules, in order:

1. A picture that no row names is refused, and so is an archive that is not read, and a file that cannot be read.
2. A file that is no picture has a line that says so. It is no fault.
3. The order is that of the tree, so that a run goes on where it stopped.
"""

import posixpath
from collections.abc import Callable, Iterator
from pathlib import Path

from services.ingest.bulk.rows import BadRow, NoPicture, refuse
from services.ingest.sources.file_contents import judge_content
from services.ingest.sources.file_trees import FileTree, TreeFile, load_head, open_tree
from shared.errors import InputError, SleeveError


class NamedFiles:
    """The files that a source's rows name; a few bytes for each, so that a million of them are no burden."""

    def __init__(self) -> None:
        self._hashes: set[int] = set()

    def add(self, name: str) -> None:
        """Keep a name."""
        self._hashes.add(hash(normal_name(name)))

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and hash(normal_name(name)) in self._hashes


def normal_name(name: str) -> str:
    """Return the one spelling of a path below a folder.

    >>> normal_name("./a//b.png")
    'a/b.png'
    """
    return posixpath.normpath(name)


def find_unnamed(tree: FileTree, is_named: Callable[[str], bool], list_name: str) -> Iterator[BadRow | NoPicture]:
    """Yield a line for each file that no row names.

    Args:
        tree: the source's files.
        is_named: whether a row names a file, or the source reads it itself.
        list_name: what the rows are in, for the message.
    """
    for file in tree.walk():
        if not is_named(file.name):
            yield judge_unnamed(tree, file, f"no row of {list_name} names it; add a row for it, or take it out")


def judge_unnamed(tree: FileTree, file: TreeFile, reason: str) -> BadRow | NoPicture:
    """Make the line of a file that is no row's.

    Args:
        tree: where it is.
        file: as the tree has it.
        reason: why a picture is refused here.
    """
    try:
        if file.error is not None:
            raise file.error
        content = judge_content(file.name, load_head(tree, file.name))
        if content == "picture":
            raise InputError(f"a picture that is not registered: {reason}", code="file_not_named")
        if content == "damaged picture":
            raise InputError("the name is a picture's and the content is none", code="not_an_image")
        if content == "archive":
            raise InputError("an archive or table that is not read here; add it by itself", code="archive_not_read")
    except SleeveError as error:
        return refuse(file.name, error)
    return NoPicture(file.name)


def has_pictures(path: Path) -> bool:
    """Say whether there is a picture among the files of a folder or a zip archive."""
    tree = open_tree(path)
    return any(
        file.error is None and judge_content(file.name, load_head(tree, file.name)) == "picture" for file in tree.walk()
    )
