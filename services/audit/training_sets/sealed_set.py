"""A sealed manifest as the audit uses it: its items and their views."""

from dataclasses import dataclass

from shared.records.items import Item
from shared.records.manifests import Manifest, load_manifest, load_manifest_items
from shared.vision.view_store import ViewStore
from shared.vision.views import Pixels, ViewRecipe
from shared.workspace import Workspace


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
    return open_view_store(workspace).load(sealed.manifest.root, sealed.blobs, recipe)


def open_view_store(workspace: Workspace) -> ViewStore:
    """Return what builds the views of a workspace's images and stores them."""
    return ViewStore(workspace.home / "views", workspace.blobs, workspace.limits)
