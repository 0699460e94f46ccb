"""A sealed manifest as the audit uses it: its items, their views, and the embeddings of their originals."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from services.audit.comparison.compare import Corpus
from shared.matching.copy_detection.detector_store import load_copy_detector
from shared.matching.training_set.training_set_store import load_training_set
from shared.records.items import Item
from shared.records.manifests import Manifest, load_manifest, load_manifest_items
from shared.vision.embedding import Embedder
from shared.vision.image_decoding import DecodedImage, decode_image
from shared.vision.view_store import ViewStore
from shared.vision.views import Pixels, ViewRecipe
from shared.workspace import Workspace

# Originals decoded at a time while embedding: bounds memory at this many full-size pictures.
BATCH_ORIGINALS = 64


@dataclass(frozen=True)
class SealedSet:
    """A manifest with its items in its own order."""

    manifest: Manifest
    items: tuple[Item, ...]

    @property
    def blobs(self) -> list[str]:
        """Digests of the items' bytes."""
        return [item.blob_sha256 for item in self.items]


def load_sealed_set(workspace: Workspace, name_or_id: str) -> SealedSet:
    """Read a manifest and its items.

    Raises:
        NotFoundError: there is no such manifest.
    """
    with workspace.reading() as session:
        manifest = load_manifest(session, name_or_id)
        return SealedSet(manifest, tuple(load_manifest_items(session, manifest.id)))


def load_views(workspace: Workspace, sealed: SealedSet, recipe: ViewRecipe) -> Pixels:
    """Return the views of a sealed set, uint8 (N, C, H, W)."""
    store = ViewStore(workspace.home / "views", workspace.blobs, workspace.limits)
    return store.load(sealed.manifest.root, sealed.blobs, recipe)


def build_corpus(workspace: Workspace, sealed: SealedSet, recipe: ViewRecipe, embedder: Embedder) -> Corpus:
    """Gather what generations are compared with."""
    vectors = [embedder.embed([image.pixels for image in batch]) for batch in _originals(workspace, sealed.blobs)]
    ids = tuple(item.id for item in sealed.items)
    folder, root = workspace.home / "views", sealed.manifest.root
    side = load_training_set(folder, root, recipe, sealed.blobs, load_views(workspace, sealed, recipe))
    store = ViewStore(folder, workspace.blobs, workspace.limits)
    return Corpus(ids, side, np.concatenate(vectors), load_copy_detector(store, root, sealed.blobs).detector)


def _originals(workspace: Workspace, blobs: Sequence[str]) -> Iterator[list[DecodedImage]]:
    for start in range(0, len(blobs), BATCH_ORIGINALS):
        batch = blobs[start : start + BATCH_ORIGINALS]
        yield [decode_image(workspace.blobs.load(digest), workspace.limits) for digest in batch]
