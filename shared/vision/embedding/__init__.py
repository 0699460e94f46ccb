"""Embedders: images to unit vectors whose cosine ranks the nearest training items."""

from shared.vision.embedding.embedder import Embedder
from shared.vision.embedding.registry import open_embedder

__all__ = ["Embedder", "open_embedder"]
