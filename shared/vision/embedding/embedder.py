"""The interface of an embedder, and the name of the collection that holds its vectors."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image


class Embedder(Protocol):
    """Maps images to unit vectors; name and digest say exactly which map it is."""

    name: str
    dimensions: int
    sha256: str

    def embed(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """Embed upright RGB images of any size; returns shape (N, dimensions), rows of length 1."""
        ...

    def prepare(self, image: Image.Image) -> Any:
        """Do what an image needs by itself, in any thread: the model's own preprocessing."""
        ...

    def embed_prepared(self, prepared: Sequence[Any]) -> NDArray[np.float32]:
        """Embed what `prepare` made; returns shape (N, dimensions), rows of length 1."""
        ...


def collection_name(embedder: Embedder) -> str:
    """Name the collection that holds an embedder's vectors: its name and the digest of its weights.

    The digest is part of the name, so that vectors of two maps can never meet in one search.
    """
    slug = "".join(letter if letter.isalnum() else "-" for letter in embedder.name).strip("-").lower()
    return f"items-{slug[:80]}-{embedder.sha256[:12]}"
