"""Flags for tests: raised by a check, reviewed and stepped with over REST."""

from typing import Any

from fastapi.testclient import TestClient
from sqlmodel import select

from shared.records.flags import Flag
from tests.support.gate_records import FLAGGED, GateWorld

OWNERS = [
    {"name": "Olga Owner", "basis": "dataset metadata", "confidence": 0.9},
    {"name": "Peter Publisher", "role": "publisher", "basis": "dataset metadata", "confidence": 0.3},
    {"name": "Olga Owner", "role": "rightsholder", "basis": "dataset metadata", "confidence": 0.5},
    {"name": "Lea Licensor", "role": "licensor", "basis": "dataset metadata", "confidence": 0.3},
]


def flag_of(world: GateWorld, check_id: str) -> Flag:
    with world.workspace.reading() as session:
        return session.exec(select(Flag).where(Flag.check_id == check_id)).one()


def raised(world: GateWorld, at: int = 0, **more: Any) -> str:
    return flag_of(world, world.decided(FLAGGED, at, **more).id).id


def review(client: TestClient, flag: str, verdict: str = "confirm", **more: Any) -> Any:
    headers = more.pop("headers", {})
    return client.post(f"/v1/flags/{flag}/reviews", json={"verdict": verdict} | more, headers=headers)


def step(client: TestClient, flag: str, name: str, role: str, **more: Any) -> Any:
    headers = more.pop("headers", {})
    return client.post(f"/v1/flags/{flag}/steps", json={"step": name, "role": role} | more, headers=headers)
