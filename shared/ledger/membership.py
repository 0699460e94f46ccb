"""A membership proof as a file: it proves that an image is in a sealed manifest, or that it is not, to anyone and offline.

Rules, in order:

1. The file carries the receipt of the manifest's sealing and the proof about the digest; nothing else is trusted.
2. The receipt must verify under the log's key and be of a `dataset.sealed` entry; root and size are taken from there.
3. The proof must hold for that root and size.
"""

from dataclasses import dataclass
from typing import Literal

from pydantic import ValidationError

from shared.errors import InputError, VerificationError
from shared.ledger.bodies import DatasetSealed
from shared.ledger.manifest_proofs import DigestProof, verify_digest_proof
from shared.ledger.verify import verify_receipt
from shared.schemas import StrictModel


class MembershipProof(StrictModel):
    """What is written to a file and handed out."""

    format: Literal["sleeve.membership/1"] = "sleeve.membership/1"
    manifest: str
    receipt: str
    proof: DigestProof


@dataclass(frozen=True)
class VerifiedMembership:
    """What a verified file proves."""

    sha256: str
    member: bool
    items: list[str]
    manifest: str
    size: int
    root: str
    sealed_at: str
    origin: str


def parse_membership(text: str) -> MembershipProof:
    """Read a membership proof.

    Raises:
        InputError: the text is no membership proof.
    """
    try:
        return MembershipProof.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "file"
        raise InputError(f"expected a membership proof; {where}: {first['msg']}", code="proof_invalid") from error


def verify_membership(text: str, vkey: str, *, sha256: str | None = None) -> VerifiedMembership:
    """Verify a membership proof with nothing but the log's key.

    Args:
        text: the file's content.
        vkey: the log's verifier key.
        sha256: the digest that the proof has to be about, where that is known.

    Returns:
        What it proves.

    Raises:
        InputError: the file is no membership proof.
        VerificationError: it does not hold; the message says what.
    """
    stated = parse_membership(text)
    receipt = verify_receipt(stated.receipt, vkey)
    sealed = receipt.entry.typed_body()
    if not isinstance(sealed, DatasetSealed):
        raise VerificationError(f"receipt: expected the sealing of a manifest (dataset.sealed), got {receipt.entry.type}")
    if stated.manifest != sealed.name:
        raise VerificationError(f"manifest: expected {sealed.name!r}, as the log has it, got {stated.manifest!r}")
    if sha256 is not None and stated.proof.sha256 != sha256:
        raise VerificationError(f"proof: expected one about {sha256}, got one about {stated.proof.sha256}")
    verify_digest_proof(stated.proof, sealed.root, sealed.size)
    items = [leaf.item for leaf in stated.proof.leaves] if stated.proof.member else []
    return VerifiedMembership(
        sha256=stated.proof.sha256,
        member=stated.proof.member,
        items=items,
        manifest=sealed.name,
        size=sealed.size,
        root=sealed.root,
        sealed_at=receipt.entry.at,
        origin=receipt.origin,
    )
