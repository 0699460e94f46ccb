"""The name of a collection: readable, and another for other weights."""

from types import SimpleNamespace
from typing import Any

from shared.vision.embedders.pixels import PixelEmbedder
from shared.vision.embedding.embedder import collection_name


def test_a_collection_is_named_by_embedder_and_digest() -> None:
    embedder = PixelEmbedder(16)
    assert collection_name(embedder) == f"items-pixels-16-v2-{embedder.sha256[:12]}"


def test_long_and_strange_names_stay_short_and_plain() -> None:
    embedder: Any = SimpleNamespace(name="Ünusual:" + "x/" * 200, sha256="ab" * 32)
    name = collection_name(embedder)
    assert len(name) <= len("items-") + 80 + 1 + 12
    assert not set(name) & set("/: ")
