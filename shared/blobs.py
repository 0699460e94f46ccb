"""Blob store: bytes named by their SHA-256, kept as files in a folder.

Rules, in order:

1. A blob is written to a temporary file, made durable (fsync) and renamed; a reader never sees half of one.
2. A blob that is there already is not written again. Its name is made durable all the same: another process may have given it
   a moment ago and not be done.
3. Reading checks the digest: damaged bytes are an error, never a result.
"""

import os
import time
from collections.abc import Sequence
from pathlib import Path

from shared.canonical import sha256_hex
from shared.errors import CorruptStateError, NotFoundError
from shared.files import save_all_atomically, save_atomically, sync_folder

# Syncing a folder costs milliseconds, also where nothing is left to do, so it is done once for each change. Changes within one
# tick of the kernel's clock, at most 10 ms, have one time; so a time counts once it is well past.
SETTLED_NS = 1_000_000_000


class BlobStore:
    """A folder of blobs at `<folder>/<first two digits>/<digest>`.

    Args:
        folder: made on first write.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # By folder: when the last change was made that is known to be durable.
        self._synced_ns: dict[str, int] = {}

    def path(self, digest: str) -> Path:
        """Return where the blob with this digest lives."""
        return self.folder / digest[:2] / digest

    def save(self, data: bytes) -> str:
        """Store bytes and return their SHA-256 (hexadecimal), durable on return."""
        digest = sha256_hex(data)
        target = self.path(digest)
        if target.exists():
            self._sync_names({f"{self.folder}/{digest[:2]}"})
            return digest
        save_atomically(target, data)
        self._sync_names(set())
        return digest

    def save_many(self, blobs: Sequence[bytes]) -> list[str]:
        """Store many blobs at once and return their digests in the same order, all durable on return."""
        digests = [sha256_hex(data) for data in blobs]
        paths = {f"{self.folder}/{digest[:2]}/{digest}": data for digest, data in zip(digests, blobs, strict=True)}
        # Plain strings: for small images, building Path objects takes as long as writing the files.
        missing = {path: data for path, data in paths.items() if not os.path.exists(path)}  # noqa: PTH110
        save_all_atomically(missing)
        if paths:
            self._sync_names({path.rpartition("/")[0] for path in paths if path not in missing})
        return digests

    def _sync_names(self, folders: set[str]) -> None:
        """Make the names in folders durable, and the folders' own, where they changed since that was last done."""
        for folder in (*folders, str(self.folder)):
            changed_ns = os.stat(folder).st_mtime_ns  # noqa: PTH116 - strings, as above
            if self._synced_ns.get(folder) == changed_ns:
                continue
            sync_folder(Path(folder))
            if time.time_ns() - changed_ns > SETTLED_NS:
                self._synced_ns[folder] = changed_ns

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
