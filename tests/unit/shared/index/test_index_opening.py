"""The settings say which index is opened: the embedded one by default, a server where a URL is set."""

from pathlib import Path

import pytest

from shared.errors import InputError
from shared.index.edge_index import EdgeIndex
from shared.index.index_opening import open_index
from shared.index.server_index import ServerIndex
from shared.settings import load_settings


def test_without_a_url_the_index_lies_in_the_home_folder(tmp_path: Path) -> None:
    index = open_index(load_settings(home=tmp_path, qdrant_url=None), "items", 4)
    assert isinstance(index, EdgeIndex)
    assert (tmp_path / "index" / "items").is_dir()
    index.close()


def test_with_a_url_nothing_is_sent_before_the_first_use(tmp_path: Path) -> None:
    index = open_index(load_settings(home=tmp_path, qdrant_url="http://127.0.0.1:1"), "items", 4)
    assert isinstance(index, ServerIndex)
    index.close()


def test_a_key_never_travels_in_clear_text(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path, qdrant_url="http://example.org:6333", qdrant_api_key="key")
    with pytest.raises(InputError, match="https"):
        open_index(settings, "items", 4)
