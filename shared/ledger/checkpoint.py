"""Checkpoints: what a log was at one size, in three lines, signed as a note.

Rules, in order:

1. The lines are the log's origin, its size in decimal and its root in base64; further lines are opaque.
2. The log signs with a key whose name is the origin, and a verifier insists on that.
3. A log never signs two roots for one size; `sequencer` sees to it.

Source: C2SP tlog-checkpoint.
"""

from dataclasses import dataclass

from shared.errors import VerificationError
from shared.ledger.lexical import encode_base64, parse_base64, parse_decimal
from shared.ledger.merkle import HASH_BYTES
from shared.ledger.note import Signer, parse_vkey, verify_note


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint states: whose log, how many entries, which root."""

    origin: str
    size: int
    root: bytes


@dataclass(frozen=True)
class SignedCheckpoint(Checkpoint):
    """A checkpoint together with the signed note that carries it."""

    note: str


def build_checkpoint_text(checkpoint: Checkpoint) -> str:
    """Write the text that is signed.

    Args:
        checkpoint: origin, size and 32-byte root.

    Returns:
        Three lines, each ended by a newline.

    >>> build_checkpoint_text(Checkpoint("example.com/log", 7, bytes(32)))
    'example.com/log\\n7\\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\\n'
    """
    return f"{checkpoint.origin}\n{checkpoint.size}\n{encode_base64(checkpoint.root)}\n"


def parse_checkpoint(text: str) -> Checkpoint:
    """Read the text of a checkpoint.

    Args:
        text: the note text, without signatures.

    Returns:
        The checkpoint; extension lines are passed over.

    Raises:
        VerificationError: fewer than three lines, an empty line, or a line that is not what it must be.
    """
    lines = text.split("\n")
    if len(lines) < 4 or lines.pop() or not all(lines):
        raise VerificationError(f"checkpoint: expected at least three non-empty lines, got {text[:120]!r}")
    return Checkpoint(
        origin=lines[0],
        size=parse_decimal(lines[1], name="checkpoint size"),
        root=parse_base64(lines[2], name="checkpoint root", size_bytes=HASH_BYTES),
    )


def sign_checkpoint(signer: Signer, size: int, root: bytes) -> SignedCheckpoint:
    """Sign a size and root under the signer's name.

    Args:
        signer: the log's key.
        size: number of entries.
        root: 32-byte root.

    Returns:
        The checkpoint with its note.
    """
    text = build_checkpoint_text(Checkpoint(signer.name, size, root))
    return SignedCheckpoint(signer.name, size, root, note=signer.sign_note(text))


def verify_checkpoint(note: str, vkey: str) -> SignedCheckpoint:
    """Check a signed checkpoint of a known log.

    Args:
        note: the signed note.
        vkey: the log's verifier key.

    Returns:
        The checkpoint.

    Raises:
        VerificationError: the note or its text is malformed, the signature does not hold, or the origin is
            not the key's name.
    """
    checkpoint = parse_checkpoint(verify_note(note, vkey))
    name = parse_vkey(vkey).name
    if checkpoint.origin != name:
        raise VerificationError(f"checkpoint origin: expected {name}, got {checkpoint.origin}")
    return SignedCheckpoint(checkpoint.origin, checkpoint.size, checkpoint.root, note)
