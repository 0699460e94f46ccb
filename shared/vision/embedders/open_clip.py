"""The open_clip embedder: any image tower that open_clip can build, with the weights of a tag or of a local checkpoint.

Preprocessing is the model's own. The digest is taken over the weights as loaded. So a changed file, or a tag that was moved,
is another embedder with a collection of its own.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import open_clip
import torch
from numpy.typing import NDArray
from PIL import Image

from shared.errors import InputError
from shared.vision.embedding.network_embedding import digest_weights, embed_in_batches


class OpenClipEmbedder:
    """Embeds with the image tower of an open_clip model.

    Args:
        name: `open_clip:<architecture>:<weights>`.
        model: an open_clip model in evaluation mode.
        preprocess: the model's own transform, PIL image to tensor.
    """

    def __init__(self, name: str, model: torch.nn.Module, preprocess: Callable[[Image.Image], torch.Tensor]) -> None:
        self.name = name
        self._model: Any = model.eval()
        self._preprocess = preprocess
        self.sha256 = digest_weights(model)
        self.dimensions = int(self.embed([Image.new("RGB", (8, 8))]).shape[1])

    @classmethod
    def load(cls, architecture: str, pretrained: str) -> Self:
        """Load a model.

        Args:
            architecture: an open_clip model name, e.g. `ViT-B-32`.
            pretrained: one of its tags (downloaded on first use), or a checkpoint file.

        Raises:
            InputError: no such architecture or tag, or the checkpoint does not fit it.
        """
        if architecture not in open_clip.list_models():
            raise InputError(f"open_clip has no architecture {architecture!r}", code="embedder_unknown")
        known_tags = open_clip.list_pretrained_tags_by_model(architecture)
        if not pretrained or (not Path(pretrained).is_file() and pretrained not in known_tags):
            raise InputError(
                f"expected a checkpoint file or one of {', '.join(known_tags) or 'no tags'}, got {pretrained!r}",
                code="embedder_weights_missing",
            )
        try:
            model, _, preprocess = open_clip.create_model_and_transforms(architecture, pretrained=pretrained)
        except (RuntimeError, OSError, ValueError) as error:
            raise InputError(f"weights {pretrained!r} cannot be loaded: {error}", code="embedder_weights_bad") from error
        label = Path(pretrained).name if Path(pretrained).is_file() else pretrained
        return cls(f"open_clip:{architecture}:{label}", model, preprocess)

    def embed(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """Embed images.

        Args:
            images: upright RGB, any size.

        Returns:
            float32, shape (N, dimensions), rows of length 1.
        """
        return embed_in_batches(self, images)

    def prepare(self, image: Image.Image) -> torch.Tensor:
        """Apply the model's own preprocessing to an upright RGB image; returns float32 (3, H, W)."""
        return self._preprocess(image)

    def embed_prepared(self, prepared: Sequence[torch.Tensor]) -> NDArray[np.float32]:
        """Embed preprocessed images in one forward pass; returns float32 (N, dimensions), rows of length 1."""
        with torch.inference_mode():
            vectors: NDArray[np.float32] = self._model.encode_image(torch.stack([*prepared]), normalize=True).float().numpy()
        return vectors


def open_embedder(argument: str) -> OpenClipEmbedder:
    """Open the embedder of a setting `open_clip:<architecture>:<tag or checkpoint file>`.

    Raises:
        InputError: as `OpenClipEmbedder.load`.
    """
    architecture, _, pretrained = argument.partition(":")
    return OpenClipEmbedder.load(architecture, pretrained)
