"""Policies over REST and as commands, on both databases: adopted through the log, in force at once, tried on past checks."""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlmodel import select
from typer.testing import CliRunner

from services.commands.main import app
from services.output_gate.opening import open_gate
from services.output_gate.policy.policy import DEFAULT_POLICY, content_of, load_policy_file
from shared.errors import CorruptStateError
from shared.ledger.openings import parse_opening, verify_opening
from shared.ledger.verify import verify_receipt
from shared.records.checks import Check
from shared.records.models import Calibration
from shared.records.policies import Policy, find_policy_in_force
from shared.workspace import Workspace
from tests.support.gate_records import BORDERLINE, CLEAR, FLAGGED, POLICY, TARIFF, GateWorld, build_world, gate_client, policy
from tests.support.ingest_client import entries_after

TOML = """
name = "strict"
version = 1
rule = "ssim"
neighbours = 1000
threshold = 0.4
shares = "by_confidence"
[borderline]
threshold = 0.3
[tariff]
currency = "USD"
amount_minor = 500
[[tariff.tiers]]
p_value_at_most = 0.001
amount_minor = 900
"""


@pytest.fixture
def world(any_workspace: Workspace) -> GateWorld:
    return build_world(any_workspace)


@pytest.fixture
def client(world: GateWorld) -> Iterator[TestClient]:
    with gate_client(world) as opened:
        yield opened


def post_toml(client: TestClient, text: str = TOML, path: str = "", **headers: str) -> Any:
    return client.post(f"/v1/policies{path}", content=text, headers={"Content-Type": "application/toml"} | headers)


def test_an_adopted_policy_decides_from_the_next_check_on(client: TestClient, world: GateWorld) -> None:
    before = world.decided(CLEAR)
    answer = post_toml(client)
    assert answer.status_code == 201, answer.text
    adopted = answer.json()
    entry = verify_receipt(adopted["receipt"], world.workspace.log.vkey).entry
    opening = parse_opening(json.dumps(adopted["opening"]))
    verify_opening(opening, entry.commitments)
    body = entry.opened_body(opening)
    assert (entry.type, body["sha256"], body["content"]["threshold"]) == ("policy.adopted", adopted["sha256"], 0.4)
    after = world.decided(CLEAR)
    assert (before.decision, after.decision, after.result["reason"]) == ("clear", "flag", "above_given_threshold")
    assert (after.result["policy"], after.result["policy_sha256"]) == ("strict v1", adopted["sha256"])
    assert (after.policy_id, before.policy_id) == (adopted["id"], world.gate.policy.id)
    assert after.result["attained_rate"] == pytest.approx(599 / 1000)
    [flag] = client.get("/v1/flags").json()["items"]
    assert (flag["currency"], flag["amount_minor"]) == ("USD", 500)
    listed = client.get("/v1/policies").json()["items"]
    assert [(one["name"], one["in_force"]) for one in listed] == [("default", False), ("strict", True)]
    assert client.get(answer.headers["Location"]).json()["content"] == tomllib.loads(TOML)


def test_versions_only_grow_and_the_same_is_adopted_once(client: TestClient, world: GateWorld) -> None:
    first = post_toml(client, **{"Idempotency-Key": "p"}).json()
    assert post_toml(client, **{"Idempotency-Key": "p"}).json()["id"] == first["id"]
    assert post_toml(client).json()["id"] == first["id"]
    for changed in ({"version": 7}, {"version": 6}, {"version": 7, "shares": "by_confidence"}):
        refused = client.post("/v1/policies", json=POLICY | changed)
        assert (refused.status_code, refused.json()["code"]) == (409, "policy_version")
    assert client.post("/v1/policies", json=POLICY | {"version": 8}).json()["in_force"] is True
    assert [entry.type for entry in entries_after(world.workspace, 0)].count("policy.adopted") == 3
    assert client.post("/v1/policies", json=POLICY | {"version": 9}, headers={"Idempotency-Key": "p"}).status_code == 409


@pytest.mark.parametrize(
    "changed",
    [
        {"threshold": 0.5},
        {"false_positive_rate": None},
        {"borderline": {"threshold": 0.5}},
        {"borderline": {"false_positive_rate": 0.001}},
        {"borderline": {}},
        {"rule": "taste"},
        {"rule": None},
        {"rules": ["fused", "ssim"]},
        {"rule": None, "rules": ["fused"]},
        {"rule": None, "rules": ["fused", "fused"]},
        {"rule": None, "rules": ["fused", "ssim"], "false_positive_rate": None, "borderline": None, "threshold": 0.5},
        {"tariff": TARIFF | {"currency": "eur"}},
        {"tariff": TARIFF | {"amount_minor": -1}},
        {"waiver_reasons": ["because we can"]},
        {"colour": "red"},
    ],
)
def test_a_policy_that_does_not_fit_is_refused(workspace: Workspace, changed: dict[str, Any]) -> None:
    with gate_client(build_world(workspace)) as client:
        for path in ("/v1/policies", "/v1/policies/dry-runs"):
            answer = client.post(path, json=POLICY | {"version": 8} | changed)
            assert (answer.status_code, answer.json()["code"]) == (422, "policy_invalid"), answer.text


def test_what_is_no_policy_at_all_is_refused(client: TestClient) -> None:
    assert post_toml(client, "name = ").json()["code"] == "policy_unreadable"
    assert client.post("/v1/policies", content=b"{", headers={"Content-Type": "application/json"}).status_code == 422
    assert client.post("/v1/policies", content=b"\xff", headers={"Content-Type": "application/toml"}).status_code == 422
    assert client.post("/v1/policies", content=b"x", headers={"Content-Type": "text/plain"}).status_code == 415
    assert post_toml(client, "#" * 70_000).json()["code"] == "policy_invalid"
    assert client.get("/v1/policies/none").json()["code"] == "policy_not_found"


def test_the_default_is_adopted_once_and_never_over_another(any_workspace: Workspace) -> None:
    def in_force() -> str:
        open_gate(any_workspace).close()
        with any_workspace.reading() as session:
            found = find_policy_in_force(session)
        assert found is not None
        return f"{found.name} {found.version}"

    shipped = load_policy_file(DEFAULT_POLICY)
    assert in_force() == in_force() == f"default {shipped.version}"
    open_gate(any_workspace, policy(name="own", version=1)).close()
    assert in_force() == "own 1"


def test_a_policy_recorded_before_the_later_fields_is_read_with_its_digest() -> None:
    older = {
        "name": "default",
        "version": 2,
        "rule": "fused",
        "neighbours": 1000,
        "false_positive_rate": 0.001,
        "shares": "equal",
    }
    # The digest as that version of the package recorded it: SHA-256 of the canonical JSON of exactly these fields.
    digest = "92c59b935f5869c6ea8d22cf60c4a8cf4e07309e50761bf8e5dd5c635be6065b"
    policy_row = Policy(name="default", version=2, sha256=digest, content=older, entry_id=1)
    content = content_of(policy_row)
    assert (content.sha256, content.borderline, content.tariff, content.flag_bound.rate) == (digest, None, None, 0.001)
    with pytest.raises(CorruptStateError, match="expected"):
        content_of(Policy(name="default", version=2, sha256=digest, content=older | {"version": 1}, entry_id=1))


def test_a_dry_run_says_what_would_change_and_changes_nothing(client: TestClient, world: GateWorld) -> None:
    clear, close, flagged = world.decided(CLEAR), world.decided(BORDERLINE), world.decided(FLAGGED)
    by_other = world.decided(CLEAR, 1, others={"ssim": 0.99})
    world.decided(0.2)
    size = len(entries_after(world.workspace, 0))
    # The band goes, the line comes down to the other rule's: what was close is decided, the rest by that rule's score.
    found = post_toml(client, TOML.replace("threshold = 0.4", "threshold = 0.98"), "/dry-runs").json()
    kinds = {one["kind"]: one for one in found["changed"]}
    assert (found["checks"], found["unchanged"], found["more"], found["not_decidable"]) == (5, 1, False, [])
    assert {kind: [one["check_id"] for one in of["changes"]] for kind, of in kinds.items()} == {
        "clear_to_borderline": [clear.id],
        "borderline_to_flag": [close.id],
        "clear_to_flag": [by_other.id],
        "flag_other_amount": [flagged.id],
    }
    assert kinds["clear_to_flag"]["changes"][0]["item_id"] == world.items[1].id
    amounts = kinds["flag_other_amount"]["changes"][0]
    assert (amounts["amount_before"], amounts["amount_after"]) == (10_001, 900)
    assert len(entries_after(world.workspace, 0)) == size
    assert len(client.get("/v1/policies").json()["items"]) == 1
    same = client.post("/v1/policies/dry-runs", json=POLICY, params={"limit": 2, "model": "model-a"}).json()
    assert (same["checks"], same["unchanged"], same["changed"], same["more"]) == (2, 2, [], True)
    assert client.post("/v1/policies/dry-runs", json=POLICY, params={"model": "nobody"}).json()["code"] == "model_not_found"


def test_a_dry_run_is_what_the_gate_then_answers(client: TestClient, world: GateWorld) -> None:
    scores = [at / 50 for at in range(50)]
    before = [world.decided(score) for score in scores]
    changed = post_toml(client, path="/dry-runs").json()["changed"]
    tried = {one["check_id"]: one["after"] for kind in changed for one in kind["changes"]}
    post_toml(client)
    for check, score in zip(before, scores, strict=True):
        now = world.decided(score)
        said = "borderline" if now.result["reason"] == "borderline" else now.decision
        was = "borderline" if check.result["reason"] == "borderline" else check.decision
        assert tried.get(check.id, was) == said
    assert sorted({*tried.values()}) == ["borderline", "flag"]


def test_any_of_two_rules_raises_a_flag_for_the_item_that_it_names(client: TestClient, world: GateWorld) -> None:
    both = POLICY | {"version": 8, "rules": ["fused", "ssim"], "false_positive_rate": 0.002}
    del both["rule"]
    scores = ({"ssim": FLAGGED}, {"fused": FLAGGED}, {"ssim": 0.6}, {"ssim": 0.9975})
    before = [world.decided(CLEAR, 1, others=one) for one in scores]
    tried = client.post("/v1/policies/dry-runs", json=both).json()["changed"]
    assert client.post("/v1/policies", json=both).status_code == 201
    after = [world.decided(CLEAR, 1, others=one) for one in scores]
    assert [one.decision for one in before] == ["clear", "flag", "clear", "clear"]
    assert [(one.decision, one.result["rule"], one.result["p_value"]) for one in after] == [
        ("flag", "ssim", pytest.approx(0.002)),
        ("flag", "fused", pytest.approx(0.002)),
        ("clear", "ssim", pytest.approx(2 * 400 / 1000)),
        ("undecided", "ssim", pytest.approx(2 * 2 / 1000)),
    ]
    assert [one.result["attained_rate"] for one in after] == [pytest.approx(0.002)] * 4
    assert {kind["kind"]: [one["check_id"] for one in kind["changes"]] for kind in tried} == {
        "clear_to_flag": [before[0].id],
        "clear_to_borderline": [before[3].id],
    }


def test_what_was_not_recorded_is_not_guessed(client: TestClient, world: GateWorld) -> None:
    missing, other, gone = (world.decided(CLEAR) for _ in range(3))
    with world.workspace.writing() as session:
        for check_id, changed in (
            (missing.id, {"calibration_sha256": None, "reason": "index_behind", "rules": []}),
            (other.id, {"rules": [one for one in other.result["rules"] if one["rule"] != "ssim"]}),
            (gone.id, {"calibration_sha256": "0" * 64}),
        ):
            check = session.get_one(Check, check_id)
            check.result = {**check.result, **changed}
            session.add(check)
    found = post_toml(client, path="/dry-runs").json()["not_decidable"]
    assert {one["reason"]: one["check_ids"] for one in found} == {
        "index_behind": [missing.id],
        "rule_not_measured": [other.id],
        "calibration_missing": [gone.id],
    }
    assert {one["count"] for one in found} == {1}
    longer = client.post("/v1/policies/dry-runs", json=POLICY | {"neighbours": 500}).json()["not_decidable"]
    assert {one["reason"] for one in longer} == {"index_behind", "other_shortlist", "calibration_missing"}


def test_the_commands_do_the_same(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = build_world(workspace)
    world.gate.close()
    world.decided(CLEAR)
    monkeypatch.setenv("SLEEVE_HOME", str(workspace.home))
    file = tmp_path / "strict.toml"
    file.write_text(TOML, encoding="utf-8")

    def run(*words: str) -> str:
        result = CliRunner().invoke(app, ["gate", "policy", *words])
        assert result.exit_code == 0, result.output
        return result.output

    assert "clear to flag" in run("dry-run", str(file))
    assert '"clear_to_flag"' in run("dry-run", str(file), "--json")
    assert "strict v1 is in force" in run("adopt", str(file))
    assert "strict" in run("list")
    assert '"threshold": 0.4' in run("show", "strict")
    with workspace.reading() as session:
        assert len(session.exec(select(Calibration)).all()) == 1
