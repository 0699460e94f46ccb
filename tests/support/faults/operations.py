"""What is disturbed, and what must hold afterwards: an append to the log, a registration, a key, a check by the gate.

Rules, in order:

1. `prepare` makes a home once; every point begins with a copy of it. `open` is not disturbed, `run` is.
2. `run` reports what is acknowledged the moment it is, so that a kill right after it takes nothing of that away.
3. A request that meets a fault is answered by a problem of 500 or 503, or as if nothing had happened. A check may be
   undecided; a copy is never clear.
4. `verify` opens the home anew, without faults, and names everything that is wrong.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from sqlalchemy import select
from sqlmodel import col

from services.output_gate.completeness.count import CompletenessCount
from services.output_gate.opening import open_gate
from shared.ledger.entries import Entry
from shared.matching.calibration.null_distribution import ControlScores
from shared.records.api_keys import ApiKey
from shared.records.checks import Check
from shared.records.items import Item
from shared.records.manifests import seal_manifest
from shared.records.models import Calibration
from shared.settings import Settings
from shared.vision.views import ViewRecipe
from shared.workspace import Workspace, open_workspace
from tests.support.factories import png, register, registration
from tests.support.faults.clients import Client, describe_answer, open_client
from tests.support.faults.verification import (
    Reports,
    verify_again,
    verify_items,
    verify_receipts,
    verify_statuses,
    verify_whole_log,
)
from tests.support.gate_records import CONTROL, policy
from tests.support.memory_gate import add_model

Report = Callable[[Mapping[str, Any]], None]
# Entries before and during the append: the first tile becomes full by it, and its unfinished forms are removed.
BEFORE, APPENDED = 254, 3
ITEMS = 8
SIDE_PX = 16


class Operation(Protocol):
    """One operation over a home."""

    def prepare(self, settings: Settings) -> None:
        """Make the home that every point begins with."""

    def open(self, settings: Settings) -> Any:
        """Open what `run` works on."""

    def run(self, opened: Any, report: Report) -> None:
        """Do it once, or once more; the same request has the same key."""

    def verify(self, settings: Settings, reports: Reports) -> list[str]:
        """Return what is wrong with the home after what was reported."""


class Append:
    """Entries appended, integrated, and their receipts."""

    def prepare(self, settings: Settings) -> None:
        workspace = open_workspace(settings)
        self._append(workspace, BEFORE)
        workspace.log.integrate()
        workspace.engine.dispose()

    def open(self, settings: Settings) -> Workspace:
        return open_workspace(settings)

    def run(self, opened: Workspace, report: Report) -> None:
        entry_ids = self._append(opened, APPENDED)
        report({"entry_ids": entry_ids})
        report({"receipts": opened.log.receipts(entry_ids)})

    def verify(self, settings: Settings, reports: Reports) -> list[str]:
        workspace = open_workspace(settings)
        # Nothing that was committed waits for anything but the next integration.
        workspace.log.integrate()
        entry_ids = [entry_id for report in reports for entry_id in report.get("entry_ids", ())]
        indices = [workspace.log.index_of(entry_id) for entry_id in entry_ids]
        wrong = [] if len(set(indices)) == len(entry_ids) else [f"entries {entry_ids} have indices {indices}"]
        self.run(workspace, lambda _report: None)
        wrong += verify_whole_log(workspace) + verify_receipts(workspace, reports)
        workspace.engine.dispose()
        return wrong

    @staticmethod
    def _append(workspace: Workspace, count: int) -> list[int]:
        entries = [Entry(type="test.made", at="2026-01-31T12:00:00.000Z", subject={}, body={"n": n}) for n in range(count)]
        with workspace.writing() as session:
            return workspace.log.append(session, entries)


class Registration:
    """`POST /v1/items` with an Idempotency-Key."""

    KEY = "new.png"

    def prepare(self, settings: Settings) -> None:
        workspace = open_workspace(settings)
        register(workspace, "before.png", png(1))
        workspace.engine.dispose()

    def open(self, settings: Settings) -> Client:
        return open_client(settings, with_gate=False)

    def run(self, opened: Client, report: Report) -> None:
        answer = opened.http.post(
            "/v1/items",
            files={"image": (self.KEY, png(2), "image/png")},
            data={"record": registration(self.KEY).model_dump_json()},
            headers={"Idempotency-Key": "registration"},
        )
        report(describe_answer(answer))
        if answer.status_code in {200, 201}:
            body = answer.json()
            report({"item": body["item"]["id"], "receipts": [body["receipt"]]})

    def verify(self, settings: Settings, reports: Reports) -> list[str]:
        wrong = verify_statuses(reports, {200, 201})
        client, again = open_client(settings, with_gate=False), list[Mapping[str, Any]]()
        self.run(client, again.append)
        wrong += verify_again(again, {200, 201})
        item_ids = {report["item"] for report in (*reports, *again) if "item" in report}
        if len(item_ids) != 1:
            wrong.append(f"one request has items {sorted(item_ids)}")
        wrong += verify_whole_log(client.workspace) + verify_receipts(client.workspace, reports)
        wrong += verify_items(settings, {("works", self.KEY): min(item_ids)})
        client.close()
        return wrong


class KeyCreation:
    """`POST /v1/keys`: a key that is on record was shown to who asked for it."""

    def prepare(self, settings: Settings) -> None:
        workspace = open_workspace(settings)
        register(workspace, "before.png", png(1))
        workspace.engine.dispose()

    def open(self, settings: Settings) -> Client:
        return open_client(settings, with_gate=False)

    def run(self, opened: Client, report: Report) -> None:
        answer = opened.http.post("/v1/keys", json={"name": "a key", "scopes": ["items:read"]})
        report(describe_answer(answer))
        if answer.status_code == 201:
            body = answer.json()
            report({"key": body["id"], "text": body["key"], "receipts": [body["receipt"]] if body["receipt"] else []})

    def verify(self, settings: Settings, reports: Reports) -> list[str]:
        wrong = verify_statuses(reports, {201})
        workspace = open_workspace(settings)
        shown = {report["key"] for report in reports if report.get("text")}
        with workspace.reading() as session:
            rows = set(session.execute(select(col(ApiKey.id))).scalars())
        # A process that was killed answered nothing: its last key is nobody's.
        allowed = 0 if any("reached" in report for report in reports) else 1
        if shown - rows or len(rows - shown) > allowed:
            wrong.append(f"keys on record {sorted(rows)}, shown {sorted(shown)}")
        wrong += verify_whole_log(workspace) + verify_receipts(workspace, reports)
        workspace.engine.dispose()
        return wrong


class GateCheck:
    """`POST /v1/checks` of a copy, with an Idempotency-Key, by a gate that has everything still to load."""

    def prepare(self, settings: Settings) -> None:
        workspace = open_workspace(settings)
        items = [register(workspace, f"{number}.png", png(number)) for number in range(ITEMS)]
        with workspace.writing() as session:
            manifest = seal_manifest(session, "small", "train", [item.id for item in items])
            model = add_model(session, manifest)
        workspace.log.integrate()
        gate = open_gate(workspace, policy(rule="ssim"), patience_seconds=None)
        corpus = gate.corpora.load(manifest.id, ViewRecipe(resolution_px=model.resolution_px, channels=model.channels))
        pipeline = {"neighbours": 1000, "embedder_sha256": gate.embedder.sha256, "copies": corpus.detector.digests}
        scores = ControlScores({"ssim": CONTROL, "fused": CONTROL}, pipeline)
        rows = {rule: list(values) for rule, values in scores.by_rule.items()}
        with workspace.writing() as session:
            session.add(
                Calibration(
                    model_id=model.id,
                    control_manifest_id=manifest.id,
                    pipeline=pipeline,
                    scores=rows,
                    sha256=scores.sha256,
                )
            )
        gate.close()
        # The gate that is disturbed has an item to index before it can decide.
        register(workspace, "later.png", png(ITEMS))
        workspace.engine.dispose()

    def open(self, settings: Settings) -> Client:
        return open_client(settings, with_gate=True)

    def run(self, opened: Client, report: Report) -> None:
        self._check(opened, report, {"Idempotency-Key": "check"})

    @staticmethod
    def _check(opened: Client, report: Report, headers: Mapping[str, str]) -> None:
        answer = opened.http.post(
            "/v1/checks",
            files=[("image", ("copy.png", png(0), "image/png"))],
            data={"model": "model-a"},
            headers=headers,
        )
        report(describe_answer(answer))
        if answer.status_code == 201:
            body = answer.json()
            report(
                {"check": body["id"], "decision": body["decision"], "reason": body["reason"], "receipts": [body["receipt"]]}
            )

    def verify(self, settings: Settings, reports: Reports) -> list[str]:
        wrong = verify_statuses(reports, {201})
        client, again, fresh = open_client(settings, with_gate=True), list[Mapping[str, Any]](), list[Mapping[str, Any]]()
        self.run(client, again.append)
        wrong += verify_again(again, {201})
        self._check(client, fresh.append, {})
        if fresh[-1].get("decision") != "flag":
            wrong.append(f"a new check of a copy gives {fresh[-1]}")
        decisions = {report["check"]: report["decision"] for report in (*reports, *again) if "check" in report}
        if len(decisions) != 1 or "clear" in decisions.values():
            wrong.append(f"one request has checks {decisions}")
        workspace = client.workspace
        decisions |= {report["check"]: report["decision"] for report in fresh if "check" in report}
        with workspace.reading() as session:
            rows = dict(session.execute(select(col(Check.id), col(Check.decision))).tuples().all())
        if rows != decisions:
            wrong.append(f"expected the checks {decisions}, got {rows}")
        counted = CompletenessCount(workspace).bring_up()
        wrong += [f"gap: {gap}" for gap in counted.gaps]
        wrong += verify_whole_log(workspace) + verify_receipts(workspace, reports)
        with workspace.reading() as session:
            keys = dict(session.execute(select(col(Item.source_key), col(Item.id))).tuples().all())
        wrong += verify_items(settings, {("works", key): item_id for key, item_id in keys.items()})
        client.close()
        return wrong


OPERATIONS: dict[str, Operation] = {
    "append": Append(),
    "registration": Registration(),
    "key": KeyCreation(),
    "check": GateCheck(),
}
