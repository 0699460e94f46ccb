"""Blob store: bytes named by their SHA-256, kept as files in a folder.

Rules, in order:

1. A blob is written to a temporary file, made durable (fsync) and renamed; a reader never sees half of one.
2. Writing a blob that is there already does nothing.
3. Reading checks the digest: damaged bytes are an error, never a result.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from shared.canonical import sha256_hex
from shared.errors import CorruptStateError, NotFoundError
from shared.files import save_all_atomically, save_atomically


class BlobStore:
    """A folder of blobs at `<folder>/<first two digits>/<digest>`.

    Args:
        folder: made on first write.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, digest: str) -> Path:
        """Return where the blob with this digest lives."""
        return self.folder / digest[:2] / digest

    def save(self, data: bytes) -> str:
        """Store bytes and return their SHA-256 (hexadecimal), durable on return."""
        digest = sha256_hex(data)
        target = self.path(digest)
        if target.exists():
            return digest
        save_atomically(target, data)
        return digest

    def save_many(self, blobs: Sequence[bytes]) -> list[str]:
        """Store many blobs at once and return their digests in the same order, all durable on return."""
        digests = [sha256_hex(data) for data in blobs]
        wanted = {f"{self.folder}/{digest[:2]}/{digest}": data for digest, data in zip(digests, blobs, strict=True)}
        # Plain strings: for small images, building Path objects takes as long as writing the files.
        save_all_atomically({path: data for path, data in wanted.items() if not os.path.exists(path)})  # noqa: PTH110
        return digests

    def load(self, digest: str) -> bytes:
        """Read a blob and check it.

        Raises:
            NotFoundError: there is no such blob.
            CorruptStateError: the bytes no longer have this digest.
        """
        try:
            data = self.path(digest).read_bytes()
        except FileNotFoundError as error:
            raise NotFoundError(f"no blob {digest}", code="blob_not_found") from error
        got = sha256_hex(data)
        if got != digest:
            raise CorruptStateError(f"blob is damaged: expected SHA-256 {digest}, got {got}", code="blob_damaged")
        return data
