"""Items of known owners, a gate that decides about them, and a client of the whole application over both, on each database."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from shared.workspace import Workspace
from tests.support.flag_client import OWNERS
from tests.support.gate_records import GateWorld, build_world, gate_client


@pytest.fixture
def world(any_workspace: Workspace) -> GateWorld:
    return build_world(any_workspace, owners=OWNERS)


@pytest.fixture
def client(world: GateWorld) -> Iterator[TestClient]:
    with gate_client(world) as opened:
        yield opened
