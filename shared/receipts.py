"""Receipts as answers give them to who may see a thing: with what opens the entry's commitments."""

from collections.abc import Sequence
from typing import Any

from shared.records.openings import load_openings
from shared.workspace import Workspace


def prove_entries(workspace: Workspace, entry_ids: Sequence[int], *, with_names: bool = True) -> list[dict[str, Any]]:
    """Return `receipt` and `opening` of entries, in their order, the receipts under one checkpoint.

    Args:
        workspace: whose log.
        entry_ids: of committed transactions.
        with_names: open names, notes and queries as well.

    Raises:
        NotFoundError: an id was never appended and committed.
    """
    receipts = workspace.log.receipts(entry_ids)
    with workspace.reading() as session:
        openings = load_openings(session, entry_ids, with_names=with_names)
    return [{"receipt": receipt, "opening": openings[entry_id]} for entry_id, receipt in zip(entry_ids, receipts, strict=True)]


def prove_entry(workspace: Workspace, entry_id: int, *, with_names: bool = True) -> dict[str, Any]:
    """Return `receipt` and `opening` of one entry; see `prove_entries`."""
    return prove_entries(workspace, [entry_id], with_names=with_names)[0]
