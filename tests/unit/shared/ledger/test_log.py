"""What the log hands out: receipts, proofs, entries; and what a receipt must withstand."""

import json
from collections.abc import Callable

import pytest
from sqlalchemy import Engine

from shared.errors import InputError, NotFoundError, VerificationError
from shared.ledger.checkpoint import sign_checkpoint
from shared.ledger.log import Log
from shared.ledger.merkle import leaf_hash, verify_consistency, verify_inclusion
from shared.ledger.note import Signer
from shared.ledger.proof import TlogProof, build_tlog_proof, parse_tlog_proof
from shared.ledger.verify import verify_receipt

Append = Callable[[int], list[int]]


@pytest.fixture
def engine(sqlite_engine: Engine) -> Engine:
    return sqlite_engine


def test_a_receipt_verifies_alone(log: Log, append: Append) -> None:
    entry_ids = append(300)
    for number in (0, 255, 256, 299):
        receipt = verify_receipt(log.receipt(entry_ids[number]), log.vkey)
        assert (receipt.index, receipt.size, receipt.origin) == (number, 300, "example.com/log")
        assert receipt.entry.body == {"n": number}
        assert receipt.root == log.checkpoint().root


def test_receipts_in_bulk_are_those_asked_for_one_by_one(log: Log, append: Append) -> None:
    entry_ids = append(20)
    wanted = [entry_ids[7], entry_ids[3], entry_ids[7]]
    assert log.receipts(wanted) == [log.receipt(entry_id) for entry_id in wanted]
    assert log.receipts([]) == []


def test_a_receipt_integrates_first_where_it_must(log: Log, append: Append) -> None:
    append(2)
    assert log.size == 2
    entry_id = append(1)[0]
    assert log.size == 2
    assert verify_receipt(log.receipt(entry_id), log.vkey).index == 2


def test_an_unknown_entry_has_no_receipt(log: Log, append: Append) -> None:
    entry_ids = append(1)
    with pytest.raises(NotFoundError, match=f"got {entry_ids[0] + 1}"):
        log.receipt(entry_ids[0] + 1)
    with pytest.raises(NotFoundError, match="expected 0 to 0 in a log of 1 entries, got 1"):
        (log.integrate(), log.entry(1))


def test_entries_are_read_by_index_and_from_an_index_on(log: Log, append: Append) -> None:
    append(10)
    log.integrate()
    append(1)  # committed, but under no checkpoint yet
    assert json.loads(log.entry(4))["body"] == {"n": 4}
    assert [index for index, _ in log.entries_since(7, 100)] == [7, 8, 9]
    assert [index for index, _ in log.entries_since(0, 2)] == [0, 1]
    assert list(log.entries_since(10, 2)) == []
    with pytest.raises(InputError, match="expected 0 or more"):
        list(log.entries_since(-1, 2))


def test_proofs_hold_between_all_published_sizes(log: Log, append: Append) -> None:
    heads = []
    for count in (1, 200, 100, 256, 300):
        append(count)
        heads.append(log.integrate())
    for new in heads:
        for index in range(0, new.size, 53):
            proof = log.prove_inclusion(index, new.size)
            verify_inclusion(leaf_hash(log.entry(index)), index, new.size, proof, new.root)
        for old in heads:
            if old.size <= new.size:
                proof = log.prove_consistency(old.size, new.size)
                verify_consistency(old.size, old.root, new.size, new.root, proof)
    with pytest.raises(InputError, match="expected 0 to 857, got 858"):
        log.prove_inclusion(0, 858)
    with pytest.raises(InputError, match="expected 0 to 857, got 858"):
        log.prove_consistency(0, 858)


def test_no_byte_of_a_receipt_can_change(log: Log, append: Append) -> None:
    receipt = log.receipt(append(5)[2]).encode()
    for position in range(len(receipt)):
        flipped = bytearray(receipt)
        flipped[position] ^= 1 << position % 8
        with pytest.raises((VerificationError, UnicodeDecodeError)):
            verify_receipt(flipped.decode(), log.vkey)


def test_a_proof_without_its_entry_is_no_receipt(log: Log, append: Append) -> None:
    receipt = log.receipt(append(1)[0])
    without = "\n".join(line for line in receipt.split("\n") if not line.startswith("extra "))
    with pytest.raises(VerificationError, match="got no extra line"):
        verify_receipt(without, log.vkey)


def test_an_included_entry_that_is_not_canonical_is_no_receipt(signer: Signer) -> None:
    data = b'{ "v": 1 }'
    note = sign_checkpoint(signer, 1, leaf_hash(data)).note
    with pytest.raises(VerificationError, match="receipt: entry"):
        verify_receipt(build_tlog_proof(TlogProof(0, (), note, data)), signer.vkey)


def test_a_tlog_proof_comes_out_as_it_went_in() -> None:
    for extra in (None, b"", b"data"):
        proof = TlogProof(5, (bytes(32), leaf_hash(b"x")), "origin\n7\nroot\n\n— name sig\n", extra)
        assert parse_tlog_proof(build_tlog_proof(proof)) == proof


HASH = "A" * 43 + "="


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected an empty line"),
        ("c2sp.org/tlog-proof@v1\nindex 0\n", "expected an empty line"),
        ("c2sp.org/tlog-proof@v2\nindex 0\n\nnote\n", "expected 'c2sp.org/tlog-proof@v1'"),
        ("c2sp.org/tlog-proof@v1\n\nnote\n", "expected an index line, got 'none'"),
        ("c2sp.org/tlog-proof@v1\nextra AA==\n\nnote\n", "expected an index line, got 'none'"),
        ("c2sp.org/tlog-proof@v1\nextra AB==\nindex 0\n\nnote\n", "extra: expected canonical base64"),
        ("c2sp.org/tlog-proof@v1\nextra ?\nindex 0\n\nnote\n", "extra: expected base64"),
        ("c2sp.org/tlog-proof@v1\nindex 0\nextra AA==\n\nnote\n", "hash: expected base64"),
        ("c2sp.org/tlog-proof@v1\nindex 00\n\nnote\n", "index: expected a decimal"),
        ("c2sp.org/tlog-proof@v1\nindex +1\n\nnote\n", "index: expected a decimal"),
        ("c2sp.org/tlog-proof@v1\nindex ١\n\nnote\n", "index: expected a decimal"),
        ("c2sp.org/tlog-proof@v1\nindex 0\nAAAA\n\nnote\n", "hash: expected 32 bytes, got 3"),
        (f"c2sp.org/tlog-proof@v1\nindex 0\n{HASH} \n\nnote\n", "hash: expected base64"),
        ("c2sp.org/tlog-proof@v1\nindex 0\n" + f"{HASH}\n" * 64 + "\nnote\n", "at most 63 hashes, got 64"),
    ],
)
def test_what_is_no_tlog_proof_is_refused(text: str, message: str) -> None:
    with pytest.raises(VerificationError, match=message):
        parse_tlog_proof(text)
