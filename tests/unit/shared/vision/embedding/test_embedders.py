"""Embedders: unit vectors, names that tell maps apart, and open_clip through its real loading path."""

from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image, ImageOps

from shared.errors import InputError
from shared.vision.embedding import open_embedder
from shared.vision.embedding.clip import OpenClipEmbedder
from shared.vision.embedding.embedder import collection_name
from shared.vision.embedding.pixels import PixelEmbedder
from tests.support.factories import picture

# The smallest architecture that open_clip lists.
ARCHITECTURE = "ViT-S-32"


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("clip") / "weights.pt"
    torch.save(open_clip.create_model(ARCHITECTURE).state_dict(), path)
    return path


def test_pixel_vectors_have_length_one_and_rank_by_likeness() -> None:
    embedder = PixelEmbedder(16)
    original = picture(1, 64)
    louder = original.point(lambda level: min(255, level + 20))
    vectors = embedder.embed([original, louder, ImageOps.mirror(original), picture(2, 64)])
    assert vectors.shape == (4, embedder.dimensions) == (4, 512)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    likeness = vectors @ vectors[0]
    assert likeness[1] > 0.97 > likeness[3]


def test_flat_pictures_have_a_direction_by_their_colour() -> None:
    flat = [Image.new("RGB", (20, 20), colour) for colour in ("white", "white", "black", "#808080", "red")]
    vectors = PixelEmbedder(8).embed([*flat, picture(1)])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    likeness = vectors @ vectors[0]
    np.testing.assert_allclose(likeness[1], 1, rtol=1e-5)
    assert likeness[3] > likeness[2]
    assert likeness[3] > likeness[5]


def test_one_picture_has_one_vector_whatever_stands_beside_it() -> None:
    embedder = PixelEmbedder(16)
    pictures = [picture(seed, 40) for seed in range(5)]
    together = embedder.embed(pictures)
    np.testing.assert_array_equal(together[3], embedder.embed(pictures[3:4])[0])
    assert embedder.embed([]).shape == (0, 512)


def test_an_oblong_picture_is_seen_as_its_canonical_view() -> None:
    oblong = picture(4, 60).resize((90, 60))
    square = oblong.crop((15, 0, 75, 60))
    seen, expected = PixelEmbedder(16).embed([oblong, square])
    np.testing.assert_allclose(seen, expected, atol=1e-6)


@pytest.mark.parametrize(
    "spec",
    [
        *("pixels:", "pixels:1", "pixels:x", "pixels:-4", "pixels:7", "pixels:9", "pixels:66", "clip", "open_clip:None:x"),
        f"open_clip:{ARCHITECTURE}:no-such-tag",
    ],
)
def test_unusable_specs_are_refused(spec: str) -> None:
    with pytest.raises(InputError):
        open_embedder(spec)


def test_open_clip_is_loaded_from_a_checkpoint_file(checkpoint: Path) -> None:
    embedder = open_embedder(f"open_clip:{ARCHITECTURE}:{checkpoint}")
    images = [picture(seed, 50) for seed in range(3)]
    vectors = embedder.embed(images)
    model, _, preprocess = open_clip.create_model_and_transforms(ARCHITECTURE, pretrained=str(checkpoint))
    with torch.inference_mode():
        expected = model.eval().encode_image(torch.stack([preprocess(image) for image in images]), normalize=True)
    np.testing.assert_allclose(vectors, expected.numpy(), atol=1e-5)
    assert str(checkpoint) not in embedder.name


def test_other_weights_are_another_collection(checkpoint: Path, tmp_path: Path) -> None:
    weights = torch.load(checkpoint, weights_only=True)
    weights["visual.proj"] += 0.01
    torch.save(weights, tmp_path / "weights.pt")
    first, second = (OpenClipEmbedder.load(ARCHITECTURE, str(path)) for path in (checkpoint, tmp_path / "weights.pt"))
    assert first.name == second.name
    assert collection_name(first) != collection_name(second)


def test_a_checkpoint_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    torch.save({"something": torch.zeros(2)}, tmp_path / "weights.pt")
    with pytest.raises(InputError) as caught:
        OpenClipEmbedder.load(ARCHITECTURE, str(tmp_path / "weights.pt"))
    assert caught.value.code == "embedder_weights_bad"
