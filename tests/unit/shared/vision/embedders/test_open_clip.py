"""The open_clip embedder, through its real loading path."""

from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch

from shared.errors import InputError
from shared.vision.embedders.open_clip import OpenClipEmbedder
from shared.vision.embedding import open_embedder
from shared.vision.embedding.embedder import collection_name
from tests.support.factories import picture

# The smallest architecture that open_clip lists.
ARCHITECTURE = "ViT-S-32"


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("clip") / "weights.pt"
    torch.save(open_clip.create_model(ARCHITECTURE).state_dict(), path)
    return path


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
