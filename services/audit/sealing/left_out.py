"""The file that lists which near copies were left out of a slice. Nothing here imports torch: the server reads it."""

from pathlib import Path

from shared.errors import NotFoundError
from shared.schemas import NAME
from shared.workspace import Workspace


def left_out_path(workspace: Workspace, name: str) -> Path:
    """Return where a slice's file is."""
    return workspace.home / "near-copies" / "left-out" / f"{name}.csv"


def load_left_out(workspace: Workspace, name: str) -> bytes:
    """Return a slice's file, as CSV.

    Raises:
        NotFoundError: no slice of this name was sealed without near copies.
    """
    if NAME.fullmatch(name) is None or not (path := left_out_path(workspace, name)).exists():
        raise NotFoundError(f"no slice {name!r} that was sealed without near copies", code="slice_not_found")
    return path.read_bytes()
