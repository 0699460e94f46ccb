"""The registry of embedders: every module of the folder is a kind, and only the one asked for is imported."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from shared.errors import InputError
from shared.settings import Settings
from shared.vision.embedding.registry import list_embedder_kinds, open_embedder
from tests.support.paths import ROOT


def test_every_file_of_the_folder_opens_a_kind() -> None:
    assert set(list_embedder_kinds()) == {path.stem for path in (ROOT / "shared/vision/embedders").glob("[!_]*.py")}
    for kind in list_embedder_kinds():
        assert callable(import_module(f"shared.vision.embedders.{kind}").open_embedder)


def test_every_kind_stands_in_the_documentation() -> None:
    page = Path(ROOT / "docs/methods/neighbours.md").read_text(encoding="utf-8")
    assert not [kind for kind in list_embedder_kinds() if f"| `{kind}:" not in page]


def test_the_default_setting_needs_no_network() -> None:
    script = (
        "import sys; from shared.vision.embedding.registry import open_embedder;"
        f"open_embedder({Settings.model_fields['embedder'].default!r}); print('torch' in sys.modules)"
    )
    printed = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "False"


@pytest.mark.parametrize(
    "spec",
    [
        *("pixels:", "pixels:1", "pixels:x", "pixels:-4", "pixels:7", "pixels:9", "pixels:66", "clip", "open_clip:None:x"),
        "open_clip:ViT-S-32:no-such-tag",
        *("__init__:x", "../embedding/registry:x", "os:x", ""),
    ],
)
def test_unusable_specs_are_refused(spec: str) -> None:
    with pytest.raises(InputError):
        open_embedder(spec)
