"""Proofs that a digest is in a manifest, or that it is not. Whoever has the manifest's root can verify them.

Rules, in order:

1. The leaves stand in the order of their digests, so a digest that is absent would stand between two neighbours. Both
   are shown, with inclusion proofs at adjacent positions; at either end one neighbour and the size say the same.
2. A proof carries its leaves in full. The verifier recomputes their hashes and trusts nothing but root and size, which
   the log holds in the entry `dataset.sealed`.

Source: the technique is that of sorted-tree absence proofs, e.g. Laurie and Kasper 2012, "Revocation Transparency".
"""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Protocol

from shared.errors import VerificationError
from shared.ledger.manifest_leaves import Leaf
from shared.ledger.merkle import build_inclusion_proof, build_rows, root_from_reader, verify_inclusion
from shared.schemas import StrictModel


class ProvenLeaf(StrictModel):
    """One leaf with its place and the hashes that lead to the root (hexadecimal, from the sibling up)."""

    blob: str
    entry: str
    item: str
    index: int
    proof: list[str]


class DigestProof(StrictModel):
    """Whether a digest is in a manifest: every leaf that has it, or else its neighbours."""

    sha256: str
    member: bool
    size: int
    root: str
    leaves: list[ProvenLeaf]


class ManifestTree(Protocol):
    """A manifest's leaves in its order, and the hashes above them."""

    size: int

    def blob(self, position: int) -> str:
        """Return the digest in the leaf at a position."""

    def leaf(self, position: int) -> Leaf:
        """Return the leaf at a position."""

    def node(self, level: int, index: int) -> bytes:
        """Return the hash of a perfect subtree; what a `HashReader` reads."""


class LeavesInMemory:
    """The tree over leaves that are all at hand.

    Args:
        leaves: all leaves of the manifest, in its order.
    """

    def __init__(self, leaves: Sequence[Leaf]) -> None:
        self._leaves = leaves
        self.size = len(leaves)
        self._rows = build_rows([leaf.hash() for leaf in leaves])

    def blob(self, position: int) -> str:
        """Return the digest in the leaf at a position."""
        return self._leaves[position].blob

    def leaf(self, position: int) -> Leaf:
        """Return the leaf at a position."""
        return self._leaves[position]

    def node(self, level: int, index: int) -> bytes:
        """Return the hash of a perfect subtree."""
        return self._rows[level][index]


def prove_digest(tree: ManifestTree, sha256: str) -> DigestProof:
    """Prove that a digest is in a manifest, or that it is not.

    Args:
        tree: of the manifest.
        sha256: digest of an image's bytes, 64 lower-case hexadecimal digits.
    """
    start = bisect_left(range(tree.size), sha256, key=tree.blob)
    end = start
    while end < tree.size and tree.blob(end) == sha256:
        end += 1
    member = end > start
    positions = range(start, end) if member else [position for position in (start - 1, start) if 0 <= position < tree.size]
    root = root_from_reader(tree.size, tree.node).hex()
    leaves = [_prove_leaf(tree, position) for position in positions]
    return DigestProof(sha256=sha256, member=member, size=tree.size, root=root, leaves=leaves)


def _prove_leaf(tree: ManifestTree, position: int) -> ProvenLeaf:
    leaf = tree.leaf(position)
    proof = [sibling.hex() for sibling in build_inclusion_proof(position, tree.size, tree.node)]
    return ProvenLeaf(blob=leaf.blob, entry=leaf.entry, item=leaf.item, index=position, proof=proof)


def verify_digest_proof(proof: DigestProof, root: str, size: int) -> None:
    """Check a proof against a manifest's root and size, as the log states them.

    Raises:
        VerificationError: it does not hold; the message says where.
    """
    if (proof.root, proof.size) != (root, size):
        raise VerificationError(f"manifest: expected root {root} of {size} leaves, got {proof.root} of {proof.size}")
    for leaf in proof.leaves:
        leaf_hash = Leaf(leaf.blob, leaf.entry, leaf.item).hash()
        try:
            hashes = [bytes.fromhex(text) for text in leaf.proof]
        except ValueError as error:
            raise VerificationError(f"leaf {leaf.index}: expected hashes in hexadecimal") from error
        verify_inclusion(leaf_hash, leaf.index, proof.size, hashes, bytes.fromhex(root))
    if proof.member:
        if not proof.leaves or any(leaf.blob != proof.sha256 for leaf in proof.leaves):
            raise VerificationError(f"expected leaves of {proof.sha256} only, got {[leaf.blob for leaf in proof.leaves]}")
        return
    _verify_gap(proof)


def _verify_gap(proof: DigestProof) -> None:
    below = [leaf for leaf in proof.leaves if leaf.blob < proof.sha256]
    above = [leaf for leaf in proof.leaves if leaf.blob > proof.sha256]
    if len(below) + len(above) != len(proof.leaves) or len(below) > 1 or len(above) > 1:
        raise VerificationError("expected at most one neighbour on each side, none with the digest itself")
    last = below[0].index if below else -1
    first = above[0].index if above else proof.size
    if first != last + 1:
        raise VerificationError(f"expected neighbours at adjacent positions, got {last} and {first} of {proof.size}")
