"""Servers that ask for keys, and keys for them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from fastapi.testclient import TestClient

from services.keys.schemas import KeyRequest
from services.keys.service import create_key
from services.output_gate.gate import Gate
from services.server.app import create_app
from shared.auth.scopes import OF_A_PARTY
from shared.records.parties import find_or_add_parties
from shared.workspace import Workspace


def asking_for_keys(workspace: Workspace) -> Workspace:
    """The same workspace, served with keys."""
    return replace(workspace, settings=workspace.settings.model_copy(update={"authentication": "keys"}))


def party_named(workspace: Workspace, name: str) -> str:
    """The id of a party."""
    with workspace.writing() as session:
        return find_or_add_parties(session, [(name, "")])[name, ""]


def make_key(workspace: Workspace, *scopes: str, party: str | None = None, **more: Any) -> str:
    """The text of a fresh key; one that speaks for a party speaks for Olga Owner where nobody else is named."""
    if not OF_A_PARTY.isdisjoint(scopes) and party is None:
        party = party_named(workspace, "Olga Owner")
    request = {"name": "a test", "scopes": list(scopes), "party_id": party} | more
    key = create_key(workspace, KeyRequest.model_validate(request)).key
    assert key is not None
    return key


def bearer(key: str) -> dict[str, str]:
    """The header that shows a key."""
    return {"Authorization": f"Bearer {key}"}


@contextmanager
def keyed_client(workspace: Workspace, gate: Gate) -> Iterator[TestClient]:
    """A client of the whole application, which asks for keys; reached under a public name, without background work."""
    yield TestClient(create_app(asking_for_keys(workspace), gate), base_url="http://sleeve.example.org")
    gate.close()
