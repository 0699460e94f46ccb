"""Everything that the log says of an item."""

from services.ingest.lifecycle.schemas import EntryAnswer, History
from shared.ledger.entries import parse_entry
from shared.records.items import load_entry_ids, load_item
from shared.workspace import Workspace


def build_history(workspace: Workspace, item_id: str) -> History:
    """Gather the entries about an item, oldest first, each with its receipt.

    Raises:
        NotFoundError: no item has this id.
    """
    with workspace.reading() as session:
        entry_ids = load_entry_ids(session, load_item(session, item_id))
    entries = []
    for entry_id, receipt in zip(entry_ids, workspace.log.receipts(entry_ids), strict=True):
        index = workspace.log.index_of(entry_id)
        entry = parse_entry(workspace.log.entry(index))
        entries.append(EntryAnswer(index=index, type=entry.type, at=entry.at, body=dict(entry.body), receipt=receipt))
    return History(entries=entries)
