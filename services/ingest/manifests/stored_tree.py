"""The tree of a sealed manifest as a file, so that a proof reads a few hashes and not every leaf.

Rules, in order:

1. `manifests/<id>.tree` in the home holds the digests of the leaves in the manifest's order, then the rows of hashes above
   them, 32 bytes each. It is a projection: it is written when the manifest is sealed, and where it is missing or damaged.
2. A file is written by one thread at a time. Who needs it meanwhile waits for `PATIENCE_SECONDS`, then hears that it is not
   ready.
3. A proof is held against the root of the manifest's record before it leaves. Where it does not hold, the file is damaged.
4. The file is read and never mapped: what goes wrong with a disk is an error and not the end of the process.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlmodel import Session

from shared.errors import CorruptStateError, UnavailableError
from shared.files import save_atomically
from shared.ledger.manifest_leaves import Leaf
from shared.ledger.merkle import HASH_BYTES, build_rows
from shared.records.manifests import Manifest, load_leaves
from shared.workspace import Workspace

FOLDER = "manifests"
PATIENCE_SECONDS = 2.0
# Leaves read at once: with their ids and digests a few megabytes.
CHUNK_LEAVES = 10_000

_building = threading.Lock()


class StoredTree:
    """A manifest's tree, read from its file as far as a proof needs it.

    Args:
        session: reads the few leaves that a proof shows.
        manifest: whose tree.
        descriptor: of the open file.
    """

    def __init__(self, session: Session, manifest: Manifest, descriptor: int) -> None:
        self._session = session
        self._manifest = manifest
        self._descriptor = descriptor
        self.size = manifest.size

    def blob(self, position: int) -> str:
        """Return the digest in the leaf at a position."""
        return self._read(position).hex()

    def leaf(self, position: int) -> Leaf:
        """Return the leaf at a position."""
        [leaf] = load_leaves(self._session, self._manifest.id, position, 1)
        return leaf

    def node(self, level: int, index: int) -> bytes:
        """Return the hash of a perfect subtree."""
        below = sum(self.size >> lower for lower in range(level))
        return self._read(self.size + below + index)

    def _read(self, place: int) -> bytes:
        data = os.pread(self._descriptor, HASH_BYTES, place * HASH_BYTES)
        if len(data) != HASH_BYTES:
            raise CorruptStateError(f"tree of manifest {self._manifest.name}: expected more hashes", code="tree_damaged")
        return data


@contextmanager
def open_tree(workspace: Workspace, session: Session, manifest: Manifest) -> Iterator[StoredTree]:
    """Open a manifest's tree, writing its file where there is none.

    Raises:
        UnavailableError: it is still being written.
    """
    path = _path_of(workspace, manifest)
    if not path.exists():
        store_tree(workspace, manifest)
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield StoredTree(session, manifest, descriptor)
    finally:
        os.close(descriptor)


def store_tree(workspace: Workspace, manifest: Manifest, *, anew: bool = False) -> None:
    """Write a manifest's tree, in place of a damaged one where that is asked for.

    Raises:
        UnavailableError: another one is being written, and takes long.
        OSError: the disk is full, or fails.
    """
    path = _path_of(workspace, manifest)
    if not _building.acquire(timeout=PATIENCE_SECONDS):
        raise UnavailableError("proofs of a manifest are being prepared; ask again in a few seconds", code="proofs_not_ready")
    try:
        if anew or not path.exists():
            save_atomically(path, _build(workspace, manifest))
    finally:
        _building.release()


def _build(workspace: Workspace, manifest: Manifest) -> bytes:
    content, hashes = bytearray(), []
    with workspace.reading() as session:
        for start in range(0, manifest.size, CHUNK_LEAVES):
            for leaf in load_leaves(session, manifest.id, start, CHUNK_LEAVES):
                content += bytes.fromhex(leaf.blob)
                hashes.append(leaf.hash())
    for row in build_rows(hashes):
        content += b"".join(row)
    return bytes(content)


def _path_of(workspace: Workspace, manifest: Manifest) -> Path:
    return workspace.home / FOLDER / f"{manifest.id}.tree"
