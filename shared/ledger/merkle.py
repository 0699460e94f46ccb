"""The Merkle tree of RFC 6962: hashes, proofs, and their verification.

Rules, in order:

1. A leaf is SHA-256(0x00 ‖ entry), an inner node SHA-256(0x01 ‖ left ‖ right); the prefixes keep one from
   passing for the other. The empty tree's root is SHA-256 of nothing.
2. Proofs are built from a hash reader: a function from (level, index) to the hash of the perfect subtree
   over the leaves [index · 2**level, (index + 1) · 2**level). Nothing here does I/O.
3. Verification is written from RFC 9162's iterative algorithms, independently of the recursive definitions
   by which proofs are built, and raises with what was expected and what was got.

Source: RFC 6962 section 2.1; RFC 9162 sections 2.1.3.2 and 2.1.4.2.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence

from shared.errors import InputError, VerificationError

# SHA-256 (FIPS 180-4) gives 32 bytes.
HASH_BYTES = 32

# RFC 6962 section 2.1: the hash of an empty list is the hash of an empty string.
EMPTY_ROOT = hashlib.sha256().digest()

HashReader = Callable[[int, int], bytes]


def leaf_hash(entry: bytes) -> bytes:
    """Hash an entry as a leaf.

    >>> leaf_hash(b"").hex()[:16]
    '6e340b9cffb37a98'
    """
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two subtrees into their parent."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_of(hashes: Iterable[bytes]) -> bytes:
    """Fold neighbouring subtree hashes, left to right, into one root.

    All but the last must be perfect subtrees of one height; the last may be any smaller tree. Pairing level
    by level and promoting an odd last node unchanged gives RFC 6962's tree, whose left part is always the
    largest power of two.

    Args:
        hashes: 32-byte hashes of the subtrees.

    Returns:
        The 32-byte root; `EMPTY_ROOT` of none.

    >>> root_of([leaf_hash(b"a"), leaf_hash(b"b")]) == node_hash(leaf_hash(b"a"), leaf_hash(b"b"))
    True
    """
    nodes = list(hashes)
    while len(nodes) > 1:
        nodes = _hash_pairs(nodes) + (nodes[-1:] if len(nodes) % 2 else [])
    return nodes[0] if nodes else EMPTY_ROOT


def build_rows(hashes: list[bytes]) -> list[list[bytes]]:
    """Hash neighbouring subtrees, level by level, as far as they make perfect ones.

    Args:
        hashes: at least one 32-byte hash, of perfect subtrees of one height.

    Returns:
        The hashes themselves, then the rows above them; an odd last node has no parent.

    >>> [len(row) for row in build_rows([bytes(32)] * 7)]
    [7, 3, 1]
    """
    rows = [hashes]
    while len(rows[-1]) > 1:
        rows.append(_hash_pairs(rows[-1]))
    return rows


def _hash_pairs(nodes: list[bytes]) -> list[bytes]:
    sha256 = hashlib.sha256
    pairs = zip(nodes[::2], nodes[1::2], strict=False)  # an odd last node is left out
    return [sha256(b"\x01" + left + right).digest() for left, right in pairs]


def _range_hash(start: int, end: int, read: HashReader) -> bytes:
    """Hash the leaves [start, end); start is a multiple of a power of two that is at least end - start."""
    subtrees = []
    while start < end:
        level = (end - start).bit_length() - 1
        subtrees.append(read(level, start >> level))
        start += 1 << level
    root = subtrees.pop()
    while subtrees:
        root = node_hash(subtrees.pop(), root)
    return root


def root_from_reader(size: int, read: HashReader) -> bytes:
    """Compute the root of the first `size` leaves.

    Args:
        size: number of leaves, at least 0.
        read: hash of the perfect subtree at (level, index).

    Returns:
        The 32-byte root.
    """
    return _range_hash(0, size, read) if size else EMPTY_ROOT


def _split(count: int) -> int:
    """Return the largest power of two below count, where RFC 6962 splits a tree of count > 1 leaves."""
    return 1 << ((count - 1).bit_length() - 1)


def build_inclusion_proof(index: int, size: int, read: HashReader) -> list[bytes]:
    """Build the proof that a leaf is in a tree.

    Args:
        index: zero-based leaf index, below `size`.
        size: number of leaves of the tree.
        read: hash of the perfect subtree at (level, index).

    Returns:
        32-byte hashes from the leaf's sibling up to the root's child.

    Raises:
        InputError: the index is not in the tree.

    Source: RFC 6962 section 2.1.1.
    """
    if not 0 <= index < size:
        raise InputError(f"index: expected 0 to {size - 1} in a tree of {size} entries, got {index}")
    path = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(_range_hash(middle, end, read))
            end = middle
        else:
            path.append(_range_hash(start, middle, read))
            start = middle
    return path[::-1]


def build_consistency_proof(old_size: int, new_size: int, read: HashReader) -> list[bytes]:
    """Build the proof that one tree is a prefix of another.

    Args:
        old_size: number of leaves of the older tree; of 0 or `new_size` the proof is empty.
        new_size: number of leaves of the newer tree.
        read: hash of the perfect subtree at (level, index).

    Returns:
        32-byte hashes in RFC 6962's order.

    Raises:
        InputError: the sizes are negative or the older is the larger.

    Source: RFC 6962 section 2.1.2.
    """
    if not 0 <= old_size <= new_size:
        raise InputError(f"old size: expected 0 to {new_size}, got {old_size}")
    if old_size in {0, new_size}:
        return []
    path = []
    start, end = 0, new_size
    while old_size != end:
        middle = start + _split(end - start)
        if old_size <= middle:
            path.append(_range_hash(middle, end, read))
            end = middle
        else:
            path.append(_range_hash(start, middle, read))
            start = middle
    if start > 0:  # the older root itself is known to the verifier, a subtree of it is not
        path.append(_range_hash(start, end, read))
    return path[::-1]


def _check_hashes(proof: Sequence[bytes]) -> None:
    for position, digest in enumerate(proof):
        if len(digest) != HASH_BYTES:
            raise VerificationError(f"proof hash {position}: expected {HASH_BYTES} bytes, got {len(digest)}")


def _check_root(name: str, expected: bytes, got: bytes) -> None:
    if expected != got:
        raise VerificationError(f"{name}: expected {expected.hex()}, got {got.hex()}")


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Check that a leaf hash stands at an index of the tree with this root.

    Args:
        leaf: 32-byte leaf hash.
        index: zero-based leaf index.
        size: number of leaves of the tree.
        proof: 32-byte hashes from the leaf's sibling up.
        root: 32-byte root, from a verified checkpoint.

    Raises:
        VerificationError: the index is outside the tree, the proof has the wrong length, or leads to
            another root.

    Source: RFC 9162 section 2.1.3.2.
    """
    if not 0 <= index < size:
        raise VerificationError(f"index: expected 0 to {size - 1} in a tree of {size} entries, got {index}")
    _check_hashes(proof)
    node, last, digest = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise VerificationError(f"inclusion proof: expected fewer than {len(proof)} hashes for size {size}")
        if node % 2 or node == last:
            digest = node_hash(sibling, digest)
            while node and node % 2 == 0:
                node, last = node >> 1, last >> 1
        else:
            digest = node_hash(digest, sibling)
        node, last = node >> 1, last >> 1
    if last:
        raise VerificationError(f"inclusion proof: expected more than {len(proof)} hashes for size {size}")
    _check_root("root from the inclusion proof", root, digest)


def _verify_trivial_consistency(
    old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]
) -> None:
    """Check the two cases that RFC 9162 leaves out: an empty older tree, and two trees of one size."""
    if proof:
        raise VerificationError(f"consistency proof: expected no hashes from {old_size} to {new_size}, got {len(proof)}")
    if old_size == 0:
        _check_root("root of the empty tree", EMPTY_ROOT, old_root)
    if old_size == new_size:
        _check_root(f"root of size {new_size}", old_root, new_root)


def verify_consistency(old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Check that a newer tree begins with all leaves of an older one, in order.

    Args:
        old_size: number of leaves of the older tree.
        old_root: its 32-byte root.
        new_size: number of leaves of the newer tree.
        new_root: its 32-byte root.
        proof: 32-byte hashes in RFC 6962's order; none where the older tree is empty or of the same size.

    Raises:
        VerificationError: the sizes shrink, the proof has the wrong length, or leads to another root.

    Source: RFC 9162 section 2.1.4.2.
    """
    if not 0 <= old_size <= new_size:
        raise VerificationError(f"tree size: expected at least {old_size}, got {new_size}")
    if old_size in {0, new_size}:
        _verify_trivial_consistency(old_size, old_root, new_size, new_root, proof)
        return
    _check_hashes(proof)
    path = list(proof)
    if old_size & (old_size - 1) == 0:  # an older tree of a power of two is itself the first node
        path.insert(0, old_root)
    if not path:
        raise VerificationError(f"consistency proof: expected hashes from {old_size} to {new_size}, got none")
    node, last = old_size - 1, new_size - 1
    while node % 2:
        node, last = node >> 1, last >> 1
    old_digest = new_digest = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise VerificationError(f"consistency proof: expected fewer than {len(proof)} hashes")
        if node % 2 or node == last:
            old_digest = node_hash(sibling, old_digest)
            new_digest = node_hash(sibling, new_digest)
            while node and node % 2 == 0:
                node, last = node >> 1, last >> 1
        else:
            new_digest = node_hash(new_digest, sibling)
        node, last = node >> 1, last >> 1
    if last:
        raise VerificationError(f"consistency proof: expected more than {len(proof)} hashes")
    _check_root(f"root of size {old_size}", old_root, old_digest)
    _check_root(f"root of size {new_size}", new_root, new_digest)
