"""What an embedder is, and how a setting names one.

`pixels:<n>` needs no weights; `open_clip:<architecture>:<pretrained>` is any open_clip model, where `pretrained` is one of
its tags or a local checkpoint file; `sscd:<file>` is a copy-detection network from converted weights.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared.errors import InputError


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


def open_embedder(spec: str) -> Embedder:
    """Open the embedder that a setting names.

    Args:
        spec: `pixels:<n>`, `open_clip:<architecture>:<tag or file>` or `sscd:<file>`.

    Raises:
        InputError: the setting names no embedder, or its weights cannot be loaded.
    """
    kind, _, rest = spec.partition(":")
    if kind == "pixels":
        from shared.vision.embedding.pixels import PixelEmbedder

        return PixelEmbedder.from_spec(rest)
    if kind == "open_clip":
        # Imported here because it brings torch and a model zoo, which the pixel embedder does without.
        from shared.vision.embedding.clip import OpenClipEmbedder

        architecture, _, pretrained = rest.partition(":")
        return OpenClipEmbedder.load(architecture, pretrained)
    if kind == "sscd":
        from shared.vision.embedding.sscd import SscdEmbedder

        return SscdEmbedder.load(rest)
    raise InputError(
        f"expected pixels:<n>, open_clip:<architecture>:<weights> or sscd:<file>, got {spec!r}", code="embedder_unknown"
    )
