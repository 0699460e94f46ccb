"""What networks share: a digest that any change of a weight changes, and batches that give what one pass gives."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from shared.vision.embedding.network_embedding import BATCH_IMAGES, digest_weights, embed_in_batches
from tests.support.factories import picture


class MeanColour:
    """Embeds by the mean colour, and counts how much it is given at once."""

    name, dimensions, sha256 = "mean colour", 3, ""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def prepare(self, image: Image.Image) -> NDArray[np.float32]:
        return np.asarray(image, np.float32).mean(axis=(0, 1))

    def embed_prepared(self, prepared: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        self.batches.append(len(prepared))
        rows = np.stack(prepared)
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)

    def embed(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        return embed_in_batches(self, images)


@pytest.mark.parametrize("count", [1, BATCH_IMAGES, BATCH_IMAGES + 1, 2 * BATCH_IMAGES + 5])
def test_batches_give_what_single_images_give(count: int) -> None:
    embedder, images = MeanColour(), [picture(seed) for seed in range(count)]
    rows = embedder.embed(images)
    assert max(embedder.batches) <= BATCH_IMAGES
    assert sum(embedder.batches) == count
    np.testing.assert_array_equal(rows, np.concatenate([embedder.embed([image]) for image in images]))


def test_no_images_have_the_shape_of_some() -> None:
    assert MeanColour().embed([]).shape == (0, 3)


def test_a_digest_changes_with_a_weight_a_type_and_a_name() -> None:
    network = torch.nn.Linear(3, 2)
    digests = [digest_weights(network)]
    with torch.no_grad():
        network.weight[0, 0] += 1
    digests.append(digest_weights(network))
    digests.append(digest_weights(network.double()))
    digests.append(digest_weights(torch.nn.Sequential(network)))
    assert len(set(digests)) == 4
    assert digest_weights(torch.nn.Sequential(network)) == digests[-1]
