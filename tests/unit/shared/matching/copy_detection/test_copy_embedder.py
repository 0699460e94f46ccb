"""The descriptor as an embedder of pictures of any size."""

import numpy as np
from PIL import Image

from shared.matching.copy_detection.copy_embedder import RECIPE, CopyEmbedder
from shared.matching.copy_detection.descriptor import load_descriptor
from shared.vision.views import build_view


def test_the_embedder_embeds_the_canonical_view() -> None:
    embedder = CopyEmbedder()
    image = Image.effect_noise((90, 70), 60).convert("RGB")
    expected = load_descriptor().describe(build_view(image, RECIPE)[None])
    assert np.array_equal(embedder.embed([image]), expected)
    assert embedder.embed([]).shape == (0, embedder.dimensions)
    assert embedder.sha256 == load_descriptor().sha256
