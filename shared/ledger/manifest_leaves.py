"""Leaves of manifests. To verify a proof about a manifest, its leaves are needed and no database."""

from dataclasses import dataclass

from shared.canonical import canonical_json
from shared.ledger.merkle import leaf_hash


@dataclass(frozen=True)
class Leaf:
    """One leaf of a manifest: the digest of an item's bytes, the leaf hash of its registration entry, its id."""

    blob: str
    entry: str
    item: str

    def canonical_bytes(self) -> bytes:
        """Return what is hashed: canonical JSON of the three."""
        return canonical_json({"blob": self.blob, "entry": self.entry, "item": self.item})

    def hash(self) -> bytes:
        """Return the leaf's hash in the manifest's tree."""
        return leaf_hash(self.canonical_bytes())
