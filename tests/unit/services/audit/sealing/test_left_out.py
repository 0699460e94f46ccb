"""The file of near copies that were left out: there where a slice was sealed so, and nowhere else."""

import pytest

from services.audit.sealing.left_out import left_out_path, load_left_out
from shared.errors import NotFoundError
from shared.workspace import Workspace


def test_a_file_is_read_by_the_slices_name_only(workspace: Workspace) -> None:
    path = left_out_path(workspace, "slice")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"left_out_item\n")
    (path.parent.parent / "outside.csv").write_bytes(b"x")
    assert load_left_out(workspace, "slice") == b"left_out_item\n"
    for name in ("other", "../outside", "..%2Foutside", "", "Slice"):
        with pytest.raises(NotFoundError):
            load_left_out(workspace, name)
