"""The sequencer: order, recovery after kill -9 at every step, several processes, and what it refuses."""

import json
import os
import shutil
import signal
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.orm import Session

from shared.errors import CorruptStateError
from shared.ledger import sequencer
from shared.ledger.checkpoint import SignedCheckpoint, sign_checkpoint
from shared.ledger.entries import Entry
from shared.ledger.keyfile import load_or_create_signer
from shared.ledger.log import Log
from shared.ledger.merkle import EMPTY_ROOT, verify_consistency
from shared.ledger.note import Signer
from shared.ledger.verify import verify_log, verify_receipt

Append = Callable[[int], list[int]]


def fork(work: Callable[[], None]) -> int:
    """Run work in a child process that dies with it; return the child's process id."""
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        except BaseException as error:  # nothing may return into the test runner
            os.write(2, repr(error).encode())
        finally:
            os._exit(1)
    return child


def open_again(engine: Engine) -> Engine:
    """Return an engine of its own for a forked process."""
    arguments = {"timeout": 60} if engine.dialect.name == "sqlite" else {}
    return create_engine(engine.url, connect_args=arguments)


def exit_status(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_new_log_has_a_checkpoint_of_nothing(log: Log) -> None:
    assert log.integrate() == sign_checkpoint_of(log, 0, EMPTY_ROOT)
    assert log.integrate().size == 0
    assert verify_log(log.folder, log.vkey).size == 0


def sign_checkpoint_of(log: Log, size: int, root: bytes) -> SignedCheckpoint:
    return sign_checkpoint(log._signer, size, root)


def test_entries_keep_the_order_of_their_commit(log: Log, append: Append) -> None:
    entry_ids = append(3) + append(300) + append(1)
    assert log.integrate().size == 304
    assert [log.index_of(entry_id) for entry_id in entry_ids] == list(range(304))
    assert [json.loads(entry)["body"]["n"] for _, entry in log.entries_since(0, 400)] == [
        *range(3),
        *range(300),
        0,
    ]


def test_what_is_rolled_back_never_was(log: Log, engine: Engine, append: Append, make_entry: Callable[[int], Entry]) -> None:
    append(1)
    with Session(engine) as session:
        assert len(Log.append(session, [make_entry(7)])) == 1
        session.rollback()
    with Session(engine) as session:
        assert Log.append(session, []) == []
        session.commit()
    append(1)
    assert log.integrate().size == 2


def test_a_backlog_longer_than_a_batch_is_taken_whole(log: Log, append: Append, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sequencer, "_BATCH", 256)
    append(1000)
    assert log.integrate().size == 1000
    assert verify_log(log.folder, log.vkey).size == 1000


def test_unfinished_tiles_go_once_the_full_ones_are_published(log: Log, append: Append) -> None:
    for count in (100, 100, 100):
        append(count)
        log.integrate()
    files = {str(path.relative_to(log.folder)) for path in log.folder.rglob("*") if path.is_file()}
    assert files == {
        ".lock",
        "checkpoint",
        "tile/0/000",
        "tile/0/001.p/44",
        "tile/1/000.p/1",
        "tile/entries/000",
        "tile/entries/001.p/44",
    }


def test_a_lost_folder_is_rebuilt_as_it_was(log: Log, append: Append) -> None:
    append(300)
    before = log.integrate()
    shutil.rmtree(log.folder)
    log.folder.mkdir()
    assert log.integrate() == before
    append(5)
    assert log.integrate().size == 305
    assert verify_log(log.folder, log.vkey).size == 305


def test_a_database_older_than_the_folder_is_refused(log: Log, engine: Engine, append: Append) -> None:
    append(5)
    log.integrate()
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM log_checkpoint"))
    with pytest.raises(CorruptStateError, match="checkpoint of size 5 in the folder is not one of the database"):
        log.integrate()
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM log_entry"))
    fresh = Log(engine, log.folder.parent / "fresh", log._signer)
    note = fresh.integrate().note
    assert note.startswith("example.com/log\n0\n")
    with pytest.raises(CorruptStateError, match="it has 0 entries, the folder 5; restore a backup"):
        log.integrate()


def test_another_key_is_refused(log: Log, engine: Engine, append: Append, tmp_path: Path) -> None:
    append(1)
    log.integrate()
    other = load_or_create_signer(tmp_path / "other.pem", "example.com/log")
    with pytest.raises(CorruptStateError, match=r"expected a signature of example\.com/log"):
        Log(engine, log.folder, other).integrate()


@pytest.mark.parametrize("statement", ["UPDATE log_entry SET entry = leaf_hash", "DELETE FROM log_entry"])
def test_a_changed_row_is_never_signed(log: Log, engine: Engine, append: Append, statement: str) -> None:
    entry_ids = append(5)
    signed = log.integrate()
    with engine.begin() as connection:
        connection.execute(text(f"{statement} WHERE id = {entry_ids[2]}"))
    append(5)
    with pytest.raises(CorruptStateError, match="log_entry: expected"):
        log.integrate()
    assert log.checkpoint() == signed


def test_a_damaged_tile_is_never_signed_over(log: Log, append: Append) -> None:
    append(300)
    signed = log.integrate()
    tile = log.folder / "tile/1/000.p/1"
    tile.write_bytes(bytes(32))
    append(5)
    with pytest.raises(CorruptStateError, match="root of size 300: expected"):
        log.integrate()
    assert log.checkpoint() == signed


def kill_at(step: int, engine: Engine) -> None:
    """Kill this process with -9 at the given step: before a file's sync or rename, or before a commit."""
    steps = iter(range(1, 10_000))

    def count(*_: Any) -> None:
        if next(steps) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    def counted(call: Any) -> Any:
        def run(*arguments: Any) -> Any:
            count()
            return call(*arguments)

        return run

    os.fsync, os.replace = counted(os.fsync), counted(os.replace)
    event.listen(engine, "commit", count)


def remember_signatures(file: Path) -> None:
    """Write down every checkpoint that this process signs, before it can be seen."""

    def sign(signer: Signer, size: int, root: bytes) -> SignedCheckpoint:
        with file.open("a") as notes:
            notes.write(f"{size} {root.hex()}\n")
        return sign_checkpoint(signer, size, root)

    vars(sequencer)["sign_checkpoint"] = sign


def test_a_kill_at_any_step_loses_nothing_and_forks_nothing(
    log: Log, engine: Engine, signer: Signer, append: Append, tmp_path: Path
) -> None:
    signed = tmp_path / "signed"
    signed.touch()
    entry_ids = append(40)
    checkpoints = [log.integrate()]
    kills, status = 0, -signal.SIGKILL
    while status == -signal.SIGKILL:
        entry_ids += append(130)  # every other time, a tile becomes full
        engine.dispose()

        def integrate(step: int = kills + 1) -> None:
            own = open_again(engine)
            kill_at(step, own)
            remember_signatures(signed)
            Log(own, log.folder, signer).integrate()

        status = exit_status(fork(integrate))
        kills += status != 0
        verify_log(log.folder, log.vkey)  # what is published holds, whatever was interrupted
        checkpoints.append(log.integrate())
        assert checkpoints[-1].size == len(entry_ids)
        assert verify_log(log.folder, log.vkey).files_beyond_checkpoint == 0
    assert status == 0
    assert kills >= 15
    assert [log.index_of(entry_id) for entry_id in entry_ids[::97]] == list(range(0, len(entry_ids), 97))
    roots = {checkpoint.size: checkpoint.root.hex() for checkpoint in checkpoints}
    for line in signed.read_text().splitlines():
        size, root = line.split()
        assert roots[int(size)] == root
    newest = checkpoints[-1]
    for old in checkpoints:
        proof = log.prove_consistency(old.size, newest.size)
        verify_consistency(old.size, old.root, newest.size, newest.root, proof)


def test_processes_that_append_and_integrate_at_once_share_one_log(
    log: Log, engine: Engine, signer: Signer, make_entry: Callable[[int], Entry], tmp_path: Path
) -> None:
    engine.dispose()

    def work(worker: int) -> None:
        own = open_again(engine)
        own_log = Log(own, log.folder, signer)
        for batch in range(8):
            with Session(own) as session:
                first = 1000 * worker + 10 * batch
                entry_ids = Log.append(session, [make_entry(first + offset) for offset in range(10)])
                session.commit()
            if batch % 2:
                receipt = verify_receipt(own_log.receipt(entry_ids[3]), own_log.vkey)
                if receipt.entry.body["n"] != first + 3:
                    os._exit(2)

    children = [fork(partial(work, worker)) for worker in range(3)]
    assert [exit_status(child) for child in children] == [0, 0, 0]
    assert log.integrate().size == 240
    found = Counter(json.loads(entry)["body"]["n"] for _, entry in log.entries_since(0, 1000))
    assert found == Counter(1000 * worker + number for worker in range(3) for number in range(80))
    assert verify_log(log.folder, log.vkey).size == 240
