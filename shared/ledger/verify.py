"""Verification without trust in the log's owner: of one receipt offline, of two checkpoints, of a whole log.

Rules, in order:

1. Only the verifier key is believed.
2. A receipt holds when its checkpoint is signed, and the leaf hash of the entry in it leads to the signed root.
3. A checkpoint continues an older one when both are signed and a consistency proof leads to both roots. The proof is built
   from any copy of the log, which is not trusted: a wrong copy gives a proof that does not hold.
4. A log holds as `fsck` says.

Source: C2SP tlog-proof; RFC 6962, RFC 9162.
"""

from dataclasses import dataclass
from pathlib import Path

from shared.errors import InputError, VerificationError
from shared.ledger.checkpoint import SignedCheckpoint, verify_checkpoint
from shared.ledger.entries import Entry, parse_entry
from shared.ledger.fsck import LogReport, load_resource, verify_files
from shared.ledger.layout import TilePlace, build_hash_reader, split_hashes, tile_width
from shared.ledger.merkle import HASH_BYTES, build_consistency_proof, leaf_hash, verify_consistency, verify_inclusion
from shared.ledger.proof import parse_tlog_proof
from shared.ledger.readers import LogReader, open_reader


@dataclass(frozen=True)
class VerifiedReceipt:
    """What a receipt proves: this entry stands at this index of this log."""

    entry: Entry
    index: int
    size: int
    root: bytes
    origin: str


def verify_receipt(text: str, vkey: str) -> VerifiedReceipt:
    """Check a receipt, offline.

    Args:
        text: a tlog-proof with the entry in `extra`.
        vkey: the log's verifier key.

    Returns:
        The entry and its place.

    Raises:
        VerificationError: anything in the receipt does not hold.
    """
    proof = parse_tlog_proof(text)
    if proof.extra is None:
        raise VerificationError("receipt: expected the entry in the extra line, got no extra line")
    checkpoint = verify_checkpoint(proof.checkpoint_note, vkey)
    verify_inclusion(leaf_hash(proof.extra), proof.index, checkpoint.size, proof.hashes, checkpoint.root)
    try:
        entry = parse_entry(proof.extra)
    except InputError as error:
        raise VerificationError(f"receipt: {error.message}") from error
    return VerifiedReceipt(entry, proof.index, checkpoint.size, checkpoint.root, checkpoint.origin)


def verify_log(source: str | Path, vkey: str) -> LogReport:
    """Recompute a whole log from its entry bundles, and compare with its tiles and its signed checkpoint.

    Args:
        source: the log's folder, or the URL of its prefix.
        vkey: the log's verifier key.

    Returns:
        What was verified.

    Raises:
        InputError: the URL cannot be parsed.
        UnavailableError: the folder or server cannot be read.
        VerificationError: a byte is not what it must be, or a file is missing or foreign; the message names the file.
    """
    with open_reader(source) as reader:
        return verify_files(reader, vkey)


def verify_growth(old: SignedCheckpoint, new: SignedCheckpoint, source: str | Path) -> None:
    """Check that a log has only grown from one of its checkpoints to another.

    Args:
        old: the older checkpoint, its signature verified.
        new: the newer checkpoint, its signature verified.
        source: the folder or URL of a copy of the log, from which the proof is built.

    Raises:
        InputError: the URL cannot be parsed.
        UnavailableError: the folder or server cannot be read.
        VerificationError: the sizes shrink; two roots were signed for one size (code `log_forked`); or no proof that leads
            to both roots can be had.
    """
    if old.size > new.size:
        raise VerificationError(f"newer checkpoint: expected a size of at least {old.size}, got {new.size}")
    if old.size == new.size and old.root != new.root:
        raise VerificationError(
            f"log forked: two roots are signed for size {new.size}: expected {old.root.hex()}, got {new.root.hex()}",
            code="log_forked",
        )
    try:
        with open_reader(source) as reader:
            proof = _load_consistency_proof(reader, old.size, new.size)
        verify_consistency(old.size, old.root, new.size, new.root, proof)
    except VerificationError as error:
        raise VerificationError(
            f"expected size {new.size} to continue size {old.size}, got no proof of it from {source}: {error.message}; "
            "the log forked or that is not a whole copy of it"
        ) from error


def _load_consistency_proof(reader: LogReader, old_size: int, new_size: int) -> list[bytes]:
    def load_tile(level: int, index: int) -> list[bytes]:
        width = tile_width(level, index, new_size)
        path, data, _ = load_resource(reader, TilePlace(level, index, width))
        if len(data) != width * HASH_BYTES:
            raise VerificationError(f"{path}: expected {width * HASH_BYTES} bytes, got {len(data)}")
        return split_hashes(data)

    return build_consistency_proof(old_size, new_size, build_hash_reader(load_tile))
