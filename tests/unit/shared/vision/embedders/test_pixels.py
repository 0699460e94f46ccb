"""The pixel embedder: unit vectors that rank by likeness, the same in any company."""

import numpy as np
from PIL import Image, ImageOps

from shared.vision.embedders.pixels import PixelEmbedder
from tests.support.factories import picture


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
