"""tlog-proof: one entry's index, inclusion proof and checkpoint in one text file.

A receipt is such a file that also carries the entry itself: its canonical bytes stand in the `extra` line.
The format leaves `extra` unauthenticated; `verify.verify_receipt` recomputes the leaf hash from it, and the
proof binds that.

Source: C2SP tlog-proof; files are named `*.tlog-proof`.
"""

from dataclasses import dataclass

from shared.errors import VerificationError
from shared.ledger.lexical import encode_base64, parse_base64, parse_decimal
from shared.ledger.merkle import HASH_BYTES

_HEADER = "c2sp.org/tlog-proof@v1"

# A tree of at most 2**63 leaves is 63 levels high, one proof hash a level.
_MAX_HASHES = 63


@dataclass(frozen=True)
class TlogProof:
    """The parts of a tlog-proof: none of them is verified yet."""

    index: int
    hashes: tuple[bytes, ...]
    checkpoint_note: str
    extra: bytes | None = None


def build_tlog_proof(proof: TlogProof) -> str:
    """Write a tlog-proof.

    Args:
        proof: index, 32-byte hashes from the leaf's sibling up, signed checkpoint, extra bytes or None.

    Returns:
        The text of the file.

    >>> print(build_tlog_proof(TlogProof(0, (), "origin...\\n", b"log")), end="")
    c2sp.org/tlog-proof@v1
    extra bG9n
    index 0
    <BLANKLINE>
    origin...
    """
    extra = [] if proof.extra is None else [f"extra {encode_base64(proof.extra)}"]
    lines = [_HEADER, *extra, f"index {proof.index}", *map(encode_base64, proof.hashes)]
    return "\n".join(lines) + "\n\n" + proof.checkpoint_note


def parse_tlog_proof(text: str) -> TlogProof:
    """Read a tlog-proof, without verifying it.

    Args:
        text: the file's text.

    Returns:
        Its parts.

    Raises:
        VerificationError: a line is missing or is not what it must be.
    """
    head, separator, checkpoint_note = text.partition("\n\n")
    if not separator:
        raise VerificationError("tlog-proof: expected an empty line before the checkpoint, got none")
    header, *lines = head.split("\n")
    if header != _HEADER:
        raise VerificationError(f"tlog-proof: expected {_HEADER!r}, got {header[:40]!r}")
    extra = None
    if lines and lines[0].startswith("extra "):
        extra = parse_base64(lines.pop(0).removeprefix("extra "), name="tlog-proof extra")
    if not lines or not lines[0].startswith("index "):
        raise VerificationError(f"tlog-proof: expected an index line, got {lines[0][:40] if lines else 'none'!r}")
    index = parse_decimal(lines.pop(0).removeprefix("index "), name="tlog-proof index")
    if len(lines) > _MAX_HASHES:
        raise VerificationError(f"tlog-proof: expected at most {_MAX_HASHES} hashes, got {len(lines)}")
    hashes = tuple(parse_base64(line, name="tlog-proof hash", size_bytes=HASH_BYTES) for line in lines)
    return TlogProof(index, hashes, checkpoint_note, extra)
