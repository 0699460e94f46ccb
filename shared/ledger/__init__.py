"""The tamper-evident log: Merkle tree, tiles, signed checkpoints, entries, receipts, and their verification.

Formats are those of the C2SP family (https://c2sp.org): tlog-tiles, tlog-checkpoint, signed-note, tlog-proof.
Writers start at `log.Log`; verifiers, who need neither database nor network, at `verify`.
"""
