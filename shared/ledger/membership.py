"""A membership proof as a file: it proves that an image is in a sealed manifest, or that it is not, to anyone and offline.

Rules, in order:

1. The file carries the receipt of the manifest's sealing and the proof about the digest; nothing else is trusted.
2. The receipt must verify under the log's key and be of a `dataset.sealed` entry; root and size are taken from there.
3. The proof must hold for that root and size.
4. The manifest is named by its id, which the entry shows, or by its name. The entry only commits to the name, so the file then
   carries its opening. Entries of version 1 show the name.
"""

from dataclasses import dataclass
from typing import Literal

from pydantic import Field, ValidationError

from shared.errors import InputError, VerificationError
from shared.ledger.bodies import DatasetSealed
from shared.ledger.entries import Entry
from shared.ledger.manifest_proofs import DigestProof, verify_digest_proof
from shared.ledger.openings import BODY, FieldOpening, verify_opening
from shared.ledger.verify import verify_receipt
from shared.schemas import StrictModel

# The commitment to a manifest's name.
NAME = f"{BODY}name"


class MembershipProof(StrictModel):
    """What is written to a file and handed out."""

    format: Literal["sleeve.membership/1"] = "sleeve.membership/1"
    manifest: str
    receipt: str
    proof: DigestProof
    opening: dict[str, FieldOpening] = Field(
        default_factory=dict, description="Of the manifest's name, which the log commits to; empty where the id is given."
    )


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
    entry = receipt.entry
    if entry.type != DatasetSealed.entry_type:
        raise VerificationError(f"receipt: expected the sealing of a manifest (dataset.sealed), got {entry.type}")
    _verify_name(stated, entry)
    if sha256 is not None and stated.proof.sha256 != sha256:
        raise VerificationError(f"proof: expected one about {sha256}, got one about {stated.proof.sha256}")
    root, size = entry.body["root"], entry.body["size"]
    verify_digest_proof(stated.proof, root, size)
    items = [leaf.item for leaf in stated.proof.leaves] if stated.proof.member else []
    return VerifiedMembership(
        sha256=stated.proof.sha256,
        member=stated.proof.member,
        items=items,
        manifest=stated.manifest,
        size=size,
        root=root,
        sealed_at=entry.at,
        origin=receipt.origin,
    )


def _verify_name(stated: MembershipProof, entry: Entry) -> None:
    if entry.v > 1 and stated.manifest == entry.subject.get("manifest"):
        return
    verify_opening(stated.opening, entry.commitments)
    name = entry.opened_body(stated.opening).get("name")
    if stated.manifest != name:
        expected = repr(name) if name is not None else "its id, or the opening of its name"
        raise VerificationError(f"manifest: expected {expected}, as the log has it, got {stated.manifest!r}")
