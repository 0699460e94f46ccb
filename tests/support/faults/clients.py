"""A home opened as a server opens it, with its endpoints called in this process."""

from dataclasses import dataclass
from typing import Any

from fastapi.testclient import TestClient

from services.output_gate.app import open_output_gate
from services.output_gate.gate import Gate
from services.output_gate.opening import open_gate
from services.server.app import build_api
from shared.settings import Settings
from shared.workspace import Workspace, open_workspace

# Routes alone, built once for all children.
API = build_api()


@dataclass(frozen=True)
class Client:
    """A client of the application's endpoints in this process, over a workspace and perhaps a gate."""

    workspace: Workspace
    gate: Gate | None
    http: TestClient

    def close(self) -> None:
        """Release the gate's index and the database."""
        if self.gate is not None:
            self.gate.close()
        self.workspace.engine.dispose()


def describe_answer(answer: Any) -> dict[str, Any]:
    """The status of an answer, and whether a failure is described as every other error is."""
    is_problem = answer.headers["content-type"].startswith("application/problem+json")
    return {"status": answer.status_code, "is_described": answer.is_success or is_problem}


def open_client(settings: Settings, *, with_gate: bool) -> Client:
    """Open a home, without background work."""
    workspace = open_workspace(settings)
    API.state.workspace = workspace
    # However slow the machine is: a check waits until its corpus is loaded.
    gate = open_gate(workspace, patience_seconds=None) if with_gate else None
    if gate is not None:
        open_output_gate(API, gate)
    return Client(workspace, gate, TestClient(API, raise_server_exceptions=False))
