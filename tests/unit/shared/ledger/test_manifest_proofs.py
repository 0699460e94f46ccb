"""Membership and absence in a manifest: provable for every digest, and not for the opposite."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import VerificationError
from shared.ledger.manifest_leaves import Leaf
from shared.ledger.manifest_proofs import DigestProof, LeavesInMemory, prove_digest, verify_digest_proof
from shared.records.manifests import build_root

DIGESTS = st.integers(0, 40).map(lambda number: hashlib.sha256(str(number).encode()).hexdigest())


def leaves_of(digests: list[str]) -> list[Leaf]:
    numbered = [Leaf(digest, "ab" * 32, f"item-{at:03d}") for at, digest in enumerate(digests)]
    return sorted(numbered, key=lambda leaf: (leaf.blob, leaf.item))


@settings(deadline=None)
@given(st.lists(DIGESTS, min_size=1, max_size=40), DIGESTS)
def test_every_digest_is_proved_in_or_out(digests: list[str], asked: str) -> None:
    leaves = leaves_of(digests)
    proof = prove_digest(LeavesInMemory(leaves), asked)
    assert proof.member == (asked in digests)
    assert len(proof.leaves) == (digests.count(asked) if proof.member else min(2, len(proof.leaves)))
    verify_digest_proof(DigestProof.model_validate_json(proof.model_dump_json()), build_root(leaves), len(leaves))


@settings(max_examples=25, deadline=None)
@given(st.lists(DIGESTS, min_size=2, max_size=10, unique=True), st.data())
def test_a_member_cannot_be_proved_absent(digests: list[str], data: st.DataObject) -> None:
    leaves = leaves_of(digests)
    member = data.draw(st.sampled_from(digests))
    others = [leaf for leaf in leaves if leaf.blob != member]
    # The best that a liar can do: the proof of absence from the manifest without it, or its true neighbours.
    lie = prove_digest(LeavesInMemory(others), member)
    with pytest.raises(VerificationError):
        verify_digest_proof(
            lie.model_copy(update={"root": build_root(leaves), "size": len(leaves)}), build_root(leaves), len(leaves)
        )
    shown = [prove_digest(LeavesInMemory(leaves), leaf.blob).leaves[0] for leaf in others]
    for first in (None, *shown):
        for second in (None, *shown):
            pair = [one for one in (first, second) if one is not None]
            forged = DigestProof(sha256=member, member=False, size=len(leaves), root=build_root(leaves), leaves=pair)
            with pytest.raises(VerificationError):
                verify_digest_proof(forged, build_root(leaves), len(leaves))


def test_a_proof_for_another_root_is_refused() -> None:
    leaves = leaves_of(["aa" * 32, "bb" * 32])
    with pytest.raises(VerificationError, match="root"):
        verify_digest_proof(prove_digest(LeavesInMemory(leaves), "aa" * 32), "00" * 32, 2)
