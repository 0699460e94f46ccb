"""The Merkle tree against a naive transcription of RFC 6962, for every size 0..300, and against tampering."""

from functools import cache
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import VerificationError
from shared.ledger.frontier import Frontier
from shared.ledger.merkle import (
    EMPTY_ROOT,
    build_consistency_proof,
    build_inclusion_proof,
    leaf_hash,
    root_from_reader,
    root_of,
    verify_consistency,
    verify_inclusion,
)

SIZES = range(301)
ENTRIES = [str(number).encode() for number in range(max(SIZES))]


# --- RFC 6962 section 2.1, as it is written: D[start:end] stands for a list of entries -------------------------------


def largest_power_of_two_below(n: int) -> int:
    k = 1
    while 2 * k < n:
        k *= 2
    return k


@cache
def mth(start: int, end: int) -> bytes:
    n = end - start
    if n == 0:
        return sha256().digest()
    if n == 1:
        return sha256(b"\x00" + ENTRIES[start]).digest()
    k = largest_power_of_two_below(n)
    return sha256(b"\x01" + mth(start, start + k) + mth(start + k, end)).digest()


def path(m: int, start: int, end: int) -> list[bytes]:
    n = end - start
    if n == 1:
        return []
    k = largest_power_of_two_below(n)
    if m < k:
        return [*path(m, start, start + k), mth(start + k, end)]
    return [*path(m - k, start + k, end), mth(start, start + k)]


def subproof(m: int, start: int, end: int, *, complete: bool) -> list[bytes]:
    n = end - start
    if m == n:
        return [] if complete else [mth(start, end)]
    k = largest_power_of_two_below(n)
    if m <= k:
        return [*subproof(m, start, start + k, complete=complete), mth(start + k, end)]
    return [*subproof(m - k, start + k, end, complete=False), mth(start, start + k)]


# --- the tests -------------------------------------------------------------------------------------------------------


def read(level: int, index: int) -> bytes:
    return mth(index << level, (index + 1) << level)


@pytest.mark.parametrize("size", [0, 1, 2, 3, 255, 256, 257, 300])
def test_an_empty_proof_is_right_for_one_leaf_only(size: int) -> None:
    if size == 1:
        verify_inclusion(leaf_hash(ENTRIES[0]), 0, 1, [], mth(0, 1))
    else:
        with pytest.raises(VerificationError):
            verify_inclusion(leaf_hash(ENTRIES[0]), 0, size, [], mth(0, size))


def test_roots_are_those_of_the_rfc_for_every_size() -> None:
    frontier = Frontier()
    for size in SIZES:
        expected = mth(0, size)
        assert frontier.root() == expected
        assert root_from_reader(size, read) == expected
        assert root_of(leaf_hash(entry) for entry in ENTRIES[:size]) == expected
        frontier.extend([leaf_hash(entry) for entry in ENTRIES[size : size + 1]])


def test_inclusion_proofs_are_those_of_the_rfc_and_verify_for_every_size() -> None:
    for size in SIZES:
        root = mth(0, size)
        for index in range(size):
            proof = build_inclusion_proof(index, size, read)
            assert proof == path(index, 0, size)
            verify_inclusion(mth(index, index + 1), index, size, proof, root)


def test_consistency_proofs_are_those_of_the_rfc_and_verify_for_every_size() -> None:
    for new_size in SIZES:
        for old_size in range(1, new_size + 1):
            proof = build_consistency_proof(old_size, new_size, read)
            assert proof == subproof(old_size, 0, new_size, complete=True)
            verify_consistency(old_size, mth(0, old_size), new_size, mth(0, new_size), proof)
        assert build_consistency_proof(0, new_size, read) == []
        verify_consistency(0, EMPTY_ROOT, new_size, mth(0, new_size), [])


sizes = st.integers(1, max(SIZES))
junk = st.binary(min_size=32, max_size=32)


@given(st.data())
def test_no_other_leaf_index_size_or_proof_verifies(data: st.DataObject) -> None:
    size = data.draw(sizes)
    index = data.draw(st.integers(0, size - 1))
    proof, root, leaf = path(index, 0, size), mth(0, size), mth(index, index + 1)
    place = data.draw(st.integers(0, len(proof)))
    forgeries = [
        (data.draw(junk), index, size, proof, root),
        (leaf, index, size, proof, data.draw(junk)),
        (leaf, index, size, [*proof[:place], data.draw(junk), *proof[place:]], root),
        (leaf, size, size, proof, root),
        (leaf, -1, size, proof, root),
        (leaf, index, size, [*proof, b"short"], root),
    ]
    if place < len(proof):
        forgeries.append((leaf, index, size, [*proof[:place], *proof[place + 1 :]], root))
        forgeries.append((leaf, index, size, [*proof[:place], data.draw(junk), *proof[place + 1 :]], root))
    other = data.draw(st.integers(0, size - 1).filter(lambda number: number != index)) if size > 1 else size
    forgeries.append((leaf, other, size, proof, root))
    for forgery in forgeries:
        with pytest.raises(VerificationError):
            verify_inclusion(*forgery)


@given(st.data())
def test_no_other_history_verifies(data: st.DataObject) -> None:
    new_size = data.draw(st.integers(2, max(SIZES)))
    old_size = data.draw(st.integers(1, new_size - 1))
    proof = subproof(old_size, 0, new_size, complete=True)
    old_root, new_root = mth(0, old_size), mth(0, new_size)
    place = data.draw(st.integers(0, len(proof) - 1))
    forgeries = [
        (old_size, data.draw(junk), new_size, new_root, proof),
        (old_size, old_root, new_size, data.draw(junk), proof),
        (old_size, old_root, new_size, new_root, []),
        (old_size, old_root, new_size, new_root, [*proof, data.draw(junk)]),
        (old_size, old_root, new_size, new_root, proof[:-1]),
        (old_size, old_root, new_size, new_root, [*proof[:place], data.draw(junk), *proof[place + 1 :]]),
        (new_size, new_root, old_size, old_root, proof),
        (old_size, old_root, old_size, new_root, []),
        (0, old_root, new_size, new_root, []),
        (0, EMPTY_ROOT, new_size, new_root, proof),
    ]
    for forgery in forgeries:
        with pytest.raises(VerificationError):
            verify_consistency(*forgery)


@given(st.lists(st.integers(0, 120), max_size=8), st.integers(0, 300))
def test_a_frontier_grows_the_same_however_it_is_fed(chunks: list[int], start: int) -> None:
    leaves = [leaf_hash(entry) for entry in ENTRIES]
    total = min(sum(chunks) + start, len(leaves))
    at_once, piecemeal = Frontier(), Frontier()
    expected = at_once.extend(leaves[:total])
    got = piecemeal.extend(leaves[: min(start, total)])
    for chunk in chunks:
        got += piecemeal.extend(leaves[piecemeal.size : min(piecemeal.size + chunk, total)])
    assert (got, piecemeal.partial_tiles()) == (expected, at_once.partial_tiles())
    assert piecemeal.root() == mth(0, total)
