"""The real data sets, whole: every row registered, every creator met, nothing twice."""

import json
from pathlib import Path

from sqlmodel import col, distinct, func, select

from services.ingest.sources.registry import default_name, open_source
from services.ingest.sources.run import RunResult, add_source
from services.ingest.sources.source import SourceOptions
from shared.ledger.verify import verify_log
from shared.records.items import Item, ItemOwner
from shared.records.parties import Party
from shared.workspace import Workspace

# Rows and distinct creators of each set; of openmoji and game_icons as their own credits count them.
SETS = {
    # The second is named as author in the text of tiles themselves.
    "dcss_tiles": (4249, 2),
    "openmoji": (972, 29),
    "game_icons.tar": (4168, 35),
    "omniglot.parquet": (4840, 20),
}


def test_the_real_sets_are_registered_whole(workspace: Workspace, shared_data: Path) -> None:
    for name, (rows, _) in SETS.items():
        result = add(workspace, shared_data / name)
        assert (result.rows.created, result.rows.known, result.rows.bad) == (rows, 0, [])
        lines = result.status_path.read_text(encoding="utf-8").splitlines()
        states = [json.loads(line)["state"] for line in lines]
        assert states[:rows] == ["registered"] * rows
        # Licences beside the pictures.
        assert set(states[rows:]) <= {"no_picture"}
    assert add(workspace, shared_data / "openmoji").rows.known == 972
    found = count_items_and_creators(workspace)
    assert found == {name.partition(".")[0]: counts for name, counts in SETS.items()}
    total = sum(rows for rows, _ in SETS.values())
    assert verify_log(workspace.log.folder, workspace.log.vkey).size == total


def add(workspace: Workspace, path: Path) -> RunResult:
    options = SourceOptions(default_name(path), "Ada Acquirer", workspace.limits.max_bytes)
    return add_source(workspace, open_source(path, options), options)


def count_items_and_creators(workspace: Workspace) -> dict[str, tuple[int, int]]:
    """Items, and distinct names in the role of creator, by data set."""
    counts = select(Item.dataset, func.count(distinct(col(Item.id))), func.count(distinct(col(Party.name))))
    joined = counts.join(ItemOwner, col(ItemOwner.item_id) == col(Item.id)).join(
        Party, col(Party.id) == col(ItemOwner.party_id)
    )
    with workspace.reading() as session:
        rows = session.exec(joined.where(ItemOwner.role == "creator").group_by(Item.dataset))
        return {dataset: (items, creators) for dataset, items, creators in rows}
