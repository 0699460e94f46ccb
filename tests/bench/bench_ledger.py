"""Speed of the log beside this machine's own limits, in one run; run as `python tests/bench/bench_ledger.py`.

Rules, in order:

1. Entries are `item.registered` as registration writes them, each different, built before the clock starts.
2. `registered` is what a bulk registration asks of the log: append 1,000 entries in one durable transaction, integrate,
   take all receipts; ten times, on an empty log, on SQLite and, where its binaries are
   installed, on a PostgreSQL of the benchmark's own. The machine's limit beside it inserts the same bytes with the driver
   alone, 1,000 rows a durable transaction.
3. Proofs come from a tree of 1,000,000 entries, made of hashes and files only; each has its reader to itself.
4. `fsck` verifies the log of rule 2 from its folder. The limit beside it hashes each entry and one node for each.
5. Every figure is the best of its rounds, so what else the machine does falls on all alike. Prints one JSON line.
"""

import hashlib
import json
import random
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

sys.path.insert(0, str(Path(__file__).parents[2]))

from shared.db import open_engine
from shared.ids import new_id
from shared.ledger.bodies import ItemRegistered
from shared.ledger.entries import Entry, build_entry
from shared.ledger.frontier import TILE_WIDTH, Frontier, Tile
from shared.ledger.keyfile import load_or_create_signer
from shared.ledger.layout import build_tile_path
from shared.ledger.log import Log
from shared.ledger.merkle import HASH_BYTES, build_consistency_proof, build_inclusion_proof, leaf_hash, verify_inclusion
from shared.ledger.tiles import TileStore
from shared.ledger.verify import verify_log
from shared.records.migrations.upgrade import migrate
from tests.support.postgres import find_postgres, new_database, running_cluster

ENTRIES = 10_000
BATCH = 1_000
TREE = 1_000_000
PROOFS = 200
ROUNDS = 3
NOON = "2026-01-31T12:00:00.000Z"


def digest(number: int) -> str:
    """A digest as of some file."""
    return hashlib.sha256(str(number).encode()).hexdigest()


def build_registration(number: int) -> Entry:
    """An entry as registration writes it."""
    address = f"https://example.org/works/{number}"
    body = ItemRegistered.model_validate(
        {
            "dataset": "works",
            "title": f"Blüten am Weg, Blatt {number}",
            "media_type": "image/jpeg",
            "width_px": 1024,
            "height_px": 768,
            "size_bytes": 183_000 + number,
            "licence": "CC-BY-4.0",
            "licence_url": "https://creativecommons.org/licenses/by/4.0/",
            "acquired_at": NOON,
            "acquired_from": "https://example.org/works",
            "source_url": address,
            "archival_link": {
                "original_url": address,
                "snapshot_url": None,
                "version_date": "2026-01-31",
                "sha256": digest(number),
                "state": "recorded",
            },
            "owners": [{"party": new_id(), "role": "creator", "basis": "dataset metadata", "confidence": 0.7}],
            "acquirer": new_id(),
            "diligence": [
                {
                    "source": "dataset metadata",
                    "searched_at": NOON,
                    "jurisdiction": None,
                    "result": "creator named",
                    "expires_at": None,
                }
            ],
            "training_permission": None,
        }
    )
    return build_entry(
        body,
        at=datetime(2026, 1, 31, 12, tzinfo=UTC),
        subject={"item": new_id(), "sha256": digest(number)},
        commitments={"acquirer.name": digest(number + 1), f"owner.{new_id()}.name": digest(number + 2)},
    )


def seconds(work: Callable[[], object]) -> float:
    """Time one call."""
    start = perf_counter()
    work()
    return perf_counter() - start


def register(url: str, folder: Path, entries: list[Entry]) -> tuple[dict[str, float], Log]:
    """Append, integrate and take receipts, batch by batch; return the seconds of each step."""
    engine = open_engine(url)
    migrate(engine, folder)
    with engine.begin() as connection:
        if connection.scalar(text("SELECT count(*) FROM log_entry")):
            raise SystemExit("expected an empty log in this database")
    log = Log(engine, folder / "log", load_or_create_signer(folder / "key.pem", "example.com/log"))
    taken = {"append": 0.0, "integrate": 0.0, "receipts": 0.0}
    for start in range(0, len(entries), BATCH):
        entry_ids: list[int] = []

        def append(first: int = start, into: list[int] = entry_ids) -> None:
            with Session(engine) as session:
                into += Log.append(session, entries[first : first + BATCH])
                session.commit()

        taken["append"] += seconds(append)
        taken["integrate"] += seconds(log.integrate)
        taken["receipts"] += seconds(lambda ids=entry_ids: log.receipts(ids))  # type: ignore[misc]
    engine.dispose()
    return taken, log


def measure_postgres(entries: list[Entry]) -> dict[str, Any] | None:
    """The same on PostgreSQL, each round in an empty database."""
    binaries = find_postgres()
    if binaries is None:
        return None
    with running_cluster(binaries) as cluster:
        runs = []
        for _ in range(ROUNDS):
            with new_database(cluster) as url:
                runs.append(measure_registration(url, entries)[0])
    return max(runs, key=lambda rates: rates["registered_entries_per_second"])


def measure_registration(url: str | None, entries: list[Entry]) -> tuple[dict[str, Any], float]:
    """Entries a second of registration, and of verifying what came out."""
    best: dict[str, float] = {}
    verification = []
    for _ in range(1 if url else ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            taken, log = register(url or f"sqlite:///{folder}/log.db", Path(folder), entries)
            if not best or sum(taken.values()) < sum(best.values()):
                best = taken
            verification += [seconds(lambda log=log: verify_log(log.folder, log.vkey)) for _ in range(ROUNDS)]  # type: ignore[misc]
    rates = {f"{step}_entries_per_second": round(len(entries) / value) for step, value in best.items()}
    return {"registered_entries_per_second": round(len(entries) / sum(best.values())), **rates}, min(verification)


def insert_raw(rows: list[bytes]) -> None:
    """Insert the same bytes with SQLite's driver alone, as durable as ours."""
    with tempfile.TemporaryDirectory() as folder:
        connection = sqlite3.connect(f"{folder}/raw.db", isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE entry (id INTEGER PRIMARY KEY AUTOINCREMENT, entry BLOB NOT NULL)")
        for start in range(0, len(rows), BATCH):
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT INTO entry (entry) VALUES (?)", [(row,) for row in rows[start : start + BATCH]])
            connection.execute("COMMIT")
        connection.close()


def hash_raw(rows: list[bytes]) -> None:
    """Hash what a verifier must: every entry, and one node for each."""
    sha256, node = hashlib.sha256, bytes(65)
    for row in rows:
        sha256(row).digest()
        sha256(node).digest()


def write_tiles(store: TileStore, tiles: list[Tile]) -> None:
    """Write tiles without syncing them: nobody will miss them."""
    for tile in tiles:
        path = store.folder / build_tile_path(tile.level, tile.index, len(tile.hashes) // HASH_BYTES)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(tile.hashes)


def measure_proofs() -> dict[str, float]:
    """Milliseconds of a proof in a tree of a million entries."""
    folder = Path(tempfile.mkdtemp())
    store, frontier = TileStore(folder), Frontier()
    for start in range(0, TREE, TILE_WIDTH):
        count = min(TILE_WIDTH, TREE - start)
        write_tiles(store, frontier.extend([leaf_hash(start.to_bytes(8) + bytes([i])) for i in range(count)]))
    write_tiles(store, frontier.partial_tiles())
    root, places = frontier.root(), random.Random(1).sample(range(TREE), PROOFS)
    inclusion = [seconds(lambda i=i: build_inclusion_proof(i, TREE, store.build_reader(TREE))) for i in places]  # type: ignore[misc]
    consistency = [seconds(lambda i=i: build_consistency_proof(i, TREE, store.build_reader(TREE))) for i in places]  # type: ignore[misc]
    for place in places:
        leaf = leaf_hash((place - place % TILE_WIDTH).to_bytes(8) + bytes([place % TILE_WIDTH]))
        verify_inclusion(leaf, place, TREE, build_inclusion_proof(place, TREE, store.build_reader(TREE)), root)
    shutil.rmtree(folder)
    return {
        "inclusion_median_ms": round(sorted(inclusion)[PROOFS // 2] * 1000, 2),
        "inclusion_p95_ms": round(sorted(inclusion)[PROOFS * 95 // 100] * 1000, 2),
        "consistency_median_ms": round(sorted(consistency)[PROOFS // 2] * 1000, 2),
    }


def main() -> None:
    """Measure and print."""
    building = perf_counter()
    entries = [build_registration(number) for number in range(ENTRIES)]
    built_seconds = perf_counter() - building
    rows = [entry.canonical_bytes() for entry in entries]
    sqlite, fsck_seconds = measure_registration(None, entries)
    result = {
        "entries": ENTRIES,
        "entry_bytes": round(sum(map(len, rows)) / ENTRIES),
        "sqlite": sqlite,
        "postgresql": measure_postgres(entries),
        "entries_built_and_validated_per_second": round(ENTRIES / built_seconds),
        "fsck_entries_per_second": round(ENTRIES / fsck_seconds),
        "proofs_at_1000000": measure_proofs(),
        "limits": {
            "raw_sqlite_rows_per_second": round(ENTRIES / min(seconds(lambda: insert_raw(rows)) for _ in range(ROUNDS))),
            "sha256_entries_and_nodes_per_second": round(
                ENTRIES / min(seconds(lambda: hash_raw(rows)) for _ in range(ROUNDS))
            ),
        },
    }
    print(json.dumps(result))  # noqa: T201 - its one line is what it is for


if __name__ == "__main__":
    main()
