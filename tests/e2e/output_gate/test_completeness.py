"""Completeness: what was done is counted from the log, and whatever is missing on either side is named."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import delete, update
from sqlmodel import col, select

from services.output_gate.completeness.count import CompletenessCount
from services.output_gate.opening import open_gate
from services.server.app import create_app
from shared.clock import utc_now
from shared.ledger.entries import build_entry
from shared.ledger.log import Log
from shared.ledger.output_bodies import CheckDecided
from shared.records.batches import BatchedCheck
from shared.records.checks import Check
from shared.records.flags import Flag
from shared.records.jobs import add_job
from shared.workspace import Workspace
from tests.support.factories import png
from tests.support.gate_client import post_checks, training_original
from tests.support.log_entries import open_entry


@pytest.fixture
def client(audited_workspace: Workspace) -> Iterator[TestClient]:
    with TestClient(create_app(audited_workspace, open_gate(audited_workspace)), base_url="http://127.0.0.1") as opened:
        yield opened


def kinds(workspace: Workspace) -> dict[str, str]:
    return {gap.kind: gap.subject for gap in CompletenessCount(workspace).bring_up().gaps}


def copy_entry(workspace: Workspace, check_id: str, **changed: Any) -> None:
    """Log a check's decision once more, and perhaps otherwise."""
    with workspace.reading() as session:
        check = session.get_one(Check, check_id)
    logged = open_entry(workspace, check.entry_id)
    entry = build_entry(CheckDecided(**logged.body | changed), at=utc_now(), subject=logged.subject)
    with workspace.writing() as session:
        Log.append(session, [entry])
    workspace.log.integrate()


def test_what_was_done_is_counted_and_open_flags_are_named_with_their_age(
    client: TestClient, audited_workspace: Workspace
) -> None:
    flagged = post_checks(client, [training_original(audited_workspace)]).json()
    post_checks(client, [png(12_345), png(12_346), b"words"])
    answer = client.get("/v1/completeness").json()
    assert (answer["complete"], answer["gaps"], answer["checks"]) == (True, [], 3)
    assert answer["decisions"] == {"flag": 1, "clear": 2}
    assert (answer["flags"], answer["open_flags"], answer["outcomes"], answer["waiting"]) == (1, 1, {}, 0)
    [flag] = answer["oldest_open"]
    assert (flag["check"], flag["state"]) == (flagged["id"], "raised")
    assert 0 <= flag["age_days"] < 1
    # The count goes on from there.
    post_checks(client, [png(12_347)])
    assert client.get("/v1/completeness").json()["checks"] == 4
    assert client.get("/v1/completeness", params={"fresh": True}).json()["checks"] == 4


def test_every_kind_of_gap_is_found(client: TestClient, audited_workspace: Workspace) -> None:
    flagged = post_checks(client, [training_original(audited_workspace)]).json()["id"]
    clear, lost, other = (post_checks(client, [png(seed)]).json()["id"] for seed in (12_345, 12_346, 12_347))
    assert kinds(audited_workspace) == {}
    copy_entry(audited_workspace, clear)
    assert kinds(audited_workspace) == {"check_without_row": clear}
    with audited_workspace.writing() as session:
        session.execute(delete(Check).where(col(Check.id) == lost))
        session.execute(update(Check).where(col(Check.id) == other).values(decision="undecided"))
        session.execute(update(Flag).values(state="paid"))
        job = add_job(session, "checks", {})
        job.state, job.finished_at = "failed", utc_now()
        session.add(BatchedCheck(batch_id=job.id, position=0))
    found = [(gap.kind, gap.subject) for gap in CompletenessCount(audited_workspace).bring_up().gaps]
    with audited_workspace.reading() as session:
        flag_id = session.exec(select(Flag.id)).one()
    assert sorted(found) == sorted(
        [
            ("check_without_row", clear),
            ("check_without_row", lost),
            ("check_differs", other),
            ("state_differs", flag_id),
            ("outcomes_differ", "paid"),
            ("accepted_undecided", job.id),
        ]
    )
    copy_entry(audited_workspace, clear, decision="flag")
    assert ("flag_missing", clear) in [(gap.kind, gap.subject) for gap in CompletenessCount(audited_workspace).bring_up().gaps]
    assert flagged
