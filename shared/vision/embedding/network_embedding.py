"""What embedders with a network share: the digest of its weights, and the division of many images into batches."""

import hashlib
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from shared.vision.embedding.embedder import Embedder

# Images a forward pass; larger batches gained nothing on two CPU cores.
BATCH_IMAGES = 32


def digest_weights(model: torch.nn.Module) -> str:
    """Return the SHA-256 over names, types, shapes and values of a network's weights, as loaded."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def embed_in_batches(embedder: Embedder, images: Sequence[Image.Image]) -> NDArray[np.float32]:
    """Prepare and embed images, at most `BATCH_IMAGES` a forward pass; returns float32 (N, D)."""
    parts = [
        embedder.embed_prepared([embedder.prepare(image) for image in images[start : start + BATCH_IMAGES]])
        for start in range(0, len(images), BATCH_IMAGES)
    ]
    return np.concatenate(parts) if parts else np.empty((0, embedder.dimensions), dtype=np.float32)
