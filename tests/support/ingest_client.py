"""A client of the whole application over a workspace, as tests of the ingest service use it."""

from collections.abc import Iterator
from contextlib import contextmanager

from fastapi.testclient import TestClient

from services.output_gate.opening import open_gate
from services.server.app import create_app
from shared.ledger.entries import Entry, parse_entry
from shared.workspace import Workspace


@contextmanager
def ingest_client(workspace: Workspace) -> Iterator[TestClient]:
    """A client in this process; its background threads run as in a server."""
    with TestClient(create_app(workspace, open_gate(workspace)), base_url="http://127.0.0.1") as opened:
        yield opened


def entries_after(workspace: Workspace, size: int) -> list[Entry]:
    """What was logged after the log had a size."""
    workspace.log.integrate()
    return [parse_entry(data) for _, data in workspace.log.entries_since(size, 10_000)]
