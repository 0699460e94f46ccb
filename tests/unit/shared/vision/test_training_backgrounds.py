"""Further views of items that look otherwise over another background; opaque pictures have none."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from shared.blobs import BlobStore
from shared.settings import Settings
from shared.vision.image_limits import image_limits
from shared.vision.training_backgrounds import FURTHER_BACKGROUNDS, list_training_rows
from shared.vision.view_store import ViewStore
from shared.vision.views import ViewRecipe
from tests.support.factories import png

RECIPE = ViewRecipe(resolution_px=16, channels=3)
ROOT = "ab" * 32


def encode(picture: Image.Image) -> bytes:
    data = io.BytesIO()
    picture.save(data, "PNG")
    return data.getvalue()


def build_store(folder: Path, files: list[bytes]) -> tuple[ViewStore, list[str]]:
    blobs = BlobStore(folder / "blobs")
    return ViewStore(folder / "views", blobs, image_limits(Settings())), [blobs.save(data) for data in files]


def draw_icon(*, alpha: int = 0) -> Image.Image:
    """A white disc on nothing: invisible over white."""
    levels = np.full((32, 32, 4), 255, np.uint8)
    levels[:16, :, :3], levels[..., 3] = 60, alpha
    levels[8:24, 8:24, 3] = 255
    return Image.fromarray(levels, "RGBA")


def test_only_what_looks_otherwise_has_further_rows(tmp_path: Path) -> None:
    files = [png(1), encode(draw_icon()), encode(draw_icon(alpha=255)), encode(Image.new("RGBA", (32, 32), (9, 9, 9, 0)))]
    store, digests = build_store(tmp_path, files)
    rows = list_training_rows(store, ROOT, digests, RECIPE, FURTHER_BACKGROUNDS)
    assert rows.items == (0, 1, 2, 3, 1, 1, 1)
    assert rows.backgrounds == ("white",) * 4 + ("black", "grey", "none")
    assert rows.root != ROOT
    views = store.load_stored(rows.root, rows.blobs, RECIPE, None, rows.backgrounds).rows
    black = Image.new("RGBA", (32, 32), "black")
    black.alpha_composite(draw_icon())
    np.testing.assert_array_equal(views[4], store.load_stored(ROOT, [digests[1]], RECIPE, None, ["black"]).rows[0])
    assert abs(int(views[4][:, 0, 0].max()) - 0) == 0
    assert int(views[5][0, 0, 0]) == 128
    assert int(views[6][0, 0, 0]) == 60
    # Kept, and made again where it was damaged.
    [kept] = store.folder.glob("*.variants.json")
    kept.write_text("{}")
    assert list_training_rows(store, ROOT, digests, RECIPE, FURTHER_BACKGROUNDS) == rows


def test_without_further_backgrounds_or_transparency_the_rows_are_the_manifests(tmp_path: Path) -> None:
    store, digests = build_store(tmp_path, [png(1), png(2)])
    for further in ((), FURTHER_BACKGROUNDS):
        rows = list_training_rows(store, ROOT, digests, RECIPE, further)
        assert (rows.root, rows.items, rows.blobs) == (ROOT, (0, 1), tuple(digests))
