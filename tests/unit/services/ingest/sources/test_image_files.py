"""Image files below a folder: nothing outside it, and no more than the limit."""

from pathlib import Path

import pytest

from services.ingest.sources.image_files import ImageFiles
from shared.errors import InputError


def test_no_more_is_read_than_one_byte_beyond_the_limit(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"x" * 100)
    assert len(ImageFiles(tmp_path, 10).load("a.png")) == 11


@pytest.mark.parametrize("name", ["../outside.png", "link.png", "folder/../../outside.png", "/etc/hostname"])
def test_what_leads_out_of_the_folder_is_not_read(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "images"
    (folder / "folder").mkdir(parents=True)
    (tmp_path / "outside.png").write_bytes(b"x")
    (folder / "link.png").symlink_to(tmp_path / "outside.png")
    with pytest.raises(InputError) as caught:
        ImageFiles(folder, 10).load(name)
    assert caught.value.code == "path_outside"


@pytest.mark.parametrize("name", ["missing.png", "a\0b", "loop.png", ""])
def test_what_cannot_be_read_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    with pytest.raises(InputError) as caught:
        ImageFiles(tmp_path, 10).load(name)
    assert caught.value.code == "file_missing"
