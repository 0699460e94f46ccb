"""A gate in memory for the unit tests of the gate: nothing here brings torch."""

import pytest

from shared.workspace import Workspace
from tests.support.memory_gate import MemoryWorld, build_memory_world


@pytest.fixture
def world(workspace: Workspace) -> MemoryWorld:
    """Six items, a model trained on them with its control, and a gate that compares in memory."""
    return build_memory_world(workspace)
