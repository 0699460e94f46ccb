"""What a store must be after any kill: everything acknowledged is there, once, provable, with its bytes.

Rules, in order:

1. The log is brought to its newest entry, which is also what repairs it after a kill, and verified whole from its files.
2. Items and `item.registered` entries stand one to one: each item's row names the entry that names it.
3. An acknowledged item that is not there under its key and id is lost; a key or an item that is there twice is doubled.
4. Every item's blob is there with the digest that names it; a blob found good once is not read again until the last check.
5. Receipts verify offline, and the log only grew since the checkpoint that each of them carries.
"""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from sqlmodel import select

from shared.errors import SleeveError
from shared.ledger.checkpoint import SignedCheckpoint, verify_checkpoint
from shared.ledger.proof import parse_tlog_proof
from shared.ledger.repository import find_indices
from shared.ledger.verify import verify_growth, verify_log, verify_receipt
from shared.records.items import Item
from shared.settings import Settings
from shared.workspace import Workspace, open_workspace

Key = tuple[str, str]
# The promise of a restart after a kill.
RESTART_SECONDS = 10
RECEIPTS_AT_ONCE = 1000


@dataclass
class Tally:
    """What a campaign of kills found."""

    kills: int = 0
    kills_of_parent_only: int = 0
    checks: int = 0
    acknowledged: int = 0
    items: int = 0
    log_size: int = 0
    lost: int = 0
    doubled: int = 0
    unmatched: int = 0
    damaged_blobs: int = 0
    bad_receipts: int = 0
    orphans: int = 0
    restart_seconds: list[float] = field(default_factory=list)
    # Told of the tally after each check, so that a campaign that is stopped has not been for nothing.
    on_check: Callable[["Tally"], None] = field(default=lambda _tally: None, repr=False)

    @property
    def faults(self) -> int:
        """Everything that must be zero, added up."""
        return self.lost + self.doubled + self.unmatched + self.damaged_blobs + self.bad_receipts + self.orphans

    def figures(self) -> dict[str, Any]:
        """The figures to be kept."""
        seconds = self.restart_seconds
        summary = {"p50": round(median(seconds), 2), "max": round(max(seconds), 2)}
        counts = {name: value for name, value in vars(self).items() if isinstance(value, int)}
        return {**counts, "restart_seconds": summary}


class Store:
    """One home and its database, looked at while no server or command runs on it."""

    def __init__(self, home: Path, database_url: str) -> None:
        self.settings = Settings(home=home, database_url=database_url)
        self.acknowledged: dict[Key, str] = {}
        self.receipts: dict[Key, str] = {}
        self._good_blobs: set[str] = set()
        self._good_receipts: set[Key] = set()

    def check(self, tally: Tally, *, last: bool = False) -> None:
        """Check everything, and add what is wrong to the tally."""
        workspace = open_workspace(self.settings)
        try:
            self._check(workspace, tally, last=last)
        finally:
            workspace.engine.dispose()

    def _check(self, workspace: Workspace, tally: Tally, *, last: bool) -> None:
        checkpoint = workspace.log.integrate()
        report = verify_log(workspace.log.folder, workspace.log.vkey)
        if (report.size, report.root) != (checkpoint.size, checkpoint.root):
            raise RuntimeError(f"log: expected size {checkpoint.size} as signed, got {report.size}")
        with workspace.reading() as session:
            columns: Any = (Item.id, Item.dataset, Item.source_key, Item.blob_sha256, Item.entry_id)
            items = session.exec(select(*columns)).all()
        ids = {(dataset, key): item_id for item_id, dataset, key, _, _ in items}
        tally.checks += 1
        tally.acknowledged, tally.items, tally.log_size = len(self.acknowledged), len(items), checkpoint.size
        tally.lost = sum(ids.get(key) != item_id for key, item_id in self.acknowledged.items())
        tally.doubled = len(items) - len(ids)
        _match_entries(workspace, {item_id: (digest, entry_id) for item_id, _, _, digest, entry_id in items}, tally)
        if last:
            self._good_blobs.clear()
        self._check_blobs(workspace, {digest for _, _, _, digest, _ in items}, tally)
        self._check_receipts(workspace, checkpoint, tally, last=last)
        tally.on_check(tally)

    def _check_blobs(self, workspace: Workspace, digests: set[str], tally: Tally) -> None:
        bad = 0
        for digest in digests - self._good_blobs:
            try:
                workspace.blobs.load(digest)
                self._good_blobs.add(digest)
            except SleeveError:
                bad += 1
        tally.damaged_blobs = bad

    def _check_receipts(self, workspace: Workspace, checkpoint: SignedCheckpoint, tally: Tally, *, last: bool) -> None:
        olds = {}
        for key, receipt in self.receipts.items():
            if key in self._good_receipts and not last:
                continue
            try:
                verified = verify_receipt(receipt, workspace.log.vkey)
                if verified.entry.subject["item"] != self.acknowledged[key]:
                    raise RuntimeError(f"receipt of {key} is of another item")
                self._good_receipts.add(key)
                note = parse_tlog_proof(receipt).checkpoint_note
                olds[verified.size] = verify_checkpoint(note, workspace.log.vkey)
            except SleeveError:
                tally.bad_receipts += 1
        for old in olds.values():
            verify_growth(old, checkpoint, workspace.log.folder)


def _match_entries(workspace: Workspace, items: dict[str, tuple[str, int]], tally: Tally) -> None:
    """Hold items against the log's entries, and each item's entry id against the place of its entry."""
    named: Counter[str] = Counter()
    index_of: dict[str, int] = {}
    wrong = 0
    for index, data in workspace.log.entries_since(0, workspace.log.size):
        entry = json.loads(data)
        if entry["type"] == "item.registered":
            item_id = entry["subject"]["item"]
            named[item_id] += 1
            index_of[item_id] = index
            wrong += item_id not in items or items[item_id][0] != entry["subject"]["sha256"]
    tally.doubled += sum(count - 1 for count in named.values())
    tally.unmatched = wrong + len(items.keys() - named.keys()) + _misplaced(workspace, items, index_of)


def _misplaced(workspace: Workspace, items: dict[str, tuple[str, int]], index_of: dict[str, int]) -> int:
    placed = {item_id: entry_id for item_id, (_, entry_id) in items.items() if item_id in index_of}
    with workspace.engine.connect() as connection:
        indices = find_indices(connection, list(placed.values()))
    return sum(indices[entry_id] != index_of[item_id] for item_id, entry_id in placed.items())


def issue_receipts(workspace: Workspace, store: Store) -> None:
    """Fetch a receipt for every acknowledged item that has none yet, as an owner of bulk rows would."""
    with workspace.reading() as session:
        entry_of = dict(session.exec(select(Item.id, Item.entry_id)).all())
    wanted = [key for key, item_id in store.acknowledged.items() if key not in store.receipts and item_id in entry_of]
    for start in range(0, len(wanted), RECEIPTS_AT_ONCE):
        some = wanted[start : start + RECEIPTS_AT_ONCE]
        texts = workspace.log.receipts([entry_of[store.acknowledged[key]] for key in some])
        store.receipts.update(zip(some, texts, strict=True))
