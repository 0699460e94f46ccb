"""No byte of a log of 1,000 entries can change unnoticed.

Each flip is looked for by verifying the whole log anew, which takes milliseconds, so a run takes about a hundred seconds of
processor time for all 37,000 bytes. The usual run flips every byte of the checkpoint, of the topmost tile and of the last
bundle, and one byte of every hash and every entry of the rest. With SLEEVE_TEST_EVERY_BYTE=1 in the environment it flips
every byte of every file.
"""

import multiprocessing
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from shared.errors import VerificationError
from shared.ledger.layout import LENGTH_BYTES
from shared.ledger.log import Log
from shared.ledger.merkle import HASH_BYTES
from shared.ledger.repository import insert_entries
from shared.ledger.verify import verify_log

ENTRIES = 1000
PROCESSES = 2
WHOLE = ("checkpoint", "tile/1/000.p/3", "tile/entries/003.p/232")

Flip = tuple[str, int]


@pytest.fixture
def engine(sqlite_engine: Engine) -> Engine:
    return sqlite_engine


@pytest.fixture
def thousand(log: Log, engine: Engine) -> Log:
    """To the tree an entry is any bytes; short ones, of 0 to 4 bytes, keep the test short."""
    with Session(engine) as session:
        insert_entries(session, [bytes([number % 251]) * (number % 5) for number in range(ENTRIES)])
        session.commit()
    log.integrate()
    return log


def sampled_flips(name: str, data: bytes) -> Iterator[int]:
    """One byte of every hash or entry, another one each time: of an entry also those of its length."""
    if "entries" not in name:
        yield from (start + start // HASH_BYTES % HASH_BYTES for start in range(0, len(data), HASH_BYTES))
        return
    position, number = 0, 0
    while position < len(data):
        length = LENGTH_BYTES + int.from_bytes(data[position : position + LENGTH_BYTES], "big")
        yield position + number % length
        position, number = position + length, number + 1


def all_flips(folder: Path) -> list[Flip]:
    """The bytes to flip, files in turn."""
    everything = bool(os.environ.get("SLEEVE_TEST_EVERY_BYTE"))
    flips: list[Flip] = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"):
        name, data = str(path.relative_to(folder)), path.read_bytes()
        whole = everything or name in WHOLE
        flips += [(name, position) for position in (range(len(data)) if whole else sampled_flips(name, data))]
    return flips


def missed_flips(folder: Path, vkey: str, flips: list[Flip]) -> list[Flip]:
    """Flip one byte after the other, alone; return those that the verification does not find or not name."""
    missed = []
    for name, position in flips:
        path = folder / name
        original = path.read_bytes()
        path.write_bytes(original[:position] + bytes([original[position] ^ 1 << position % 8]) + original[position + 1 :])
        try:
            verify_log(folder, vkey)
            missed.append((name, position))
        except VerificationError as error:
            if name not in error.message:
                missed.append((name, position))
        path.write_bytes(original)
    return missed


@pytest.mark.timeout(1200)
def test_every_flipped_byte_is_found_and_its_file_named(thousand: Log, tmp_path: Path) -> None:
    assert verify_log(thousand.folder, thousand.vkey).size == ENTRIES
    flips = all_flips(thousand.folder)
    assert {name for name, _ in flips} >= {*WHOLE, "tile/0/000", "tile/0/003.p/232", "tile/entries/000"}
    assert len(flips) > 2 * ENTRIES
    copies = [Path(shutil.copytree(thousand.folder, tmp_path / f"copy{number}")) for number in range(PROCESSES)]
    with ProcessPoolExecutor(PROCESSES, mp_context=multiprocessing.get_context("fork")) as pool:
        parts = [flips[number::PROCESSES] for number in range(PROCESSES)]
        missed = list(pool.map(missed_flips, copies, [thousand.vkey] * PROCESSES, parts))
    assert missed == [[]] * PROCESSES
    for copy in copies:
        assert verify_log(copy, thousand.vkey).size == ENTRIES
