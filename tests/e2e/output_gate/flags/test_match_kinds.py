"""The kind of a match, on both databases: in the answer, the log, the flag and what it owes; old checks have none."""

from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from services.commands.main import app
from services.output_gate.policy.policy import Tariff
from shared.ledger.body_fields import MEANINGS, MatchKind
from shared.ledger.output_bodies import CheckDecided
from shared.records.checks import Check
from shared.workspace import Workspace
from tests.support.flag_client import OWNERS, flag_of, raised
from tests.support.gate_records import CLEAR, FLAGGED, KIND_FIGURES, POLICY, TARIFF, GateWorld, build_world, policy
from tests.support.log_entries import open_entries_after, open_entry

TIERS = [
    {"kinds": ["part"], "amount_minor": 100},
    {"kinds": ["whole", "transformed"], "p_value_at_most": 0.001, "amount_minor": 900},
    {"p_value_at_most": 0.001, "amount_minor": 700},
    {"kinds": ["unspecified"], "p_value_at_most": 0.0001, "amount_minor": 1},
]


@pytest.fixture
def world(any_workspace: Workspace) -> GateWorld:
    return build_world(any_workspace, policy(tariff=TARIFF | {"tiers": TIERS}), owners=OWNERS)


def test_the_kind_is_in_the_answer_the_log_and_the_flag(client: TestClient, world: GateWorld) -> None:
    check = world.decided(FLAGGED, kind="transformed")
    shown = client.get(f"/v1/checks/{check.id}").json()
    assert (shown["kind"], shown["kind_figures"]) == ("transformed", KIND_FIGURES.model_dump())
    kinds = {one["rule"]: one["kind"] for one in shown["rules"]}
    assert kinds == {"fused": "transformed", "works": None, "ssim": None, "ssim-turned": None}
    body = open_entry(world.workspace, check.entry_id).body
    assert (body["kind"], body["kind_figures"]) == ("transformed", KIND_FIGURES.model_dump())
    flag = client.get(f"/v1/flags/{shown['flag_id']}").json()
    assert (flag["kind"], flag["amount_minor"]) == ("transformed", 900)
    [entry] = [entry for entry in open_entries_after(world.workspace, 0) if entry.type == "flag.raised"]
    assert entry.body["kind"] == "transformed"
    part = raised(world, kind="part")
    assert [one["id"] for one in client.get("/v1/flags", params={"kind": "part"}).json()["items"]] == [part]
    assert client.get("/v1/flags", params={"kind": "stolen"}).json()["code"] == "invalid_request"
    assert [one["kind"] for one in client.get("/v1/checks").json()["items"]] == ["part", "transformed"]
    assert client.get("/v1/completeness").json()["complete"] is True


def test_of_a_pair_that_was_not_measured_no_kind_is_told(any_workspace: Workspace) -> None:
    world = build_world(any_workspace, policy(rule="ssim"))
    check = world.decided(FLAGGED, kind="whole")
    world.gate.close()
    assert (check.result["kind"], check.result["kind_figures"]) == ("unspecified", None)
    assert flag_of(world, check.id).kind == "unspecified"


def test_an_entry_from_before_there_were_kinds_is_read_as_it_is(world: GateWorld) -> None:
    world.decided(CLEAR, kind="whole")
    body = dict(open_entries_after(world.workspace, 0)[-1].body)
    for older in (body, {name: value for name, value in body.items() if not name.startswith("kind")}):
        read = CheckDecided.model_validate(older)
        assert read.kind == older.get("kind")
    world.gate.close()


@pytest.mark.parametrize(
    ("p_value", "kind", "amount"),
    [
        (0.001, "whole", 900),
        (0.002, "whole", 10_001),  # the bound of its tier is not kept
        (0.001, "recoloured", 700),
        (0.001, "part", 100),  # a kind goes before any bound
        (0.5, "part", 100),
        (0.001, "unspecified", 700),
        (0.0001, "unspecified", 1),
    ],
)
def test_the_tier_that_says_most_decides(p_value: float, kind: MatchKind, amount: int) -> None:
    assert Tariff.model_validate(TARIFF | {"tiers": TIERS}).amount_for(p_value, kind) == amount


def test_of_tiers_that_say_the_same_the_first_decides() -> None:
    tiers = [{"kinds": ["part", "whole"], "amount_minor": 5}, {"kinds": ["whole"], "amount_minor": 6}]
    assert Tariff.model_validate(TARIFF | {"tiers": tiers}).amount_for(0.001, "whole") == 5


@pytest.mark.parametrize(
    "tier",
    [
        {"amount_minor": 1},
        {"kinds": [], "amount_minor": 1},
        {"kinds": ["part", "part"], "amount_minor": 1},
        {"kinds": ["stolen"], "amount_minor": 1},
    ],
)
def test_a_tier_that_says_nothing_is_refused(client: TestClient, tier: dict[str, Any]) -> None:
    answer = client.post("/v1/policies", json=POLICY | {"version": 8, "tariff": TARIFF | {"tiers": [tier]}})
    assert (answer.status_code, answer.json()["code"]) == (422, "policy_invalid"), answer.text


def test_a_dry_run_counts_by_the_recorded_kind_and_old_checks_as_unspecified(client: TestClient, world: GateWorld) -> None:
    whole, part, old = world.decided(FLAGGED, kind="whole"), world.decided(FLAGGED, kind="part"), world.decided(FLAGGED)
    clear = world.decided(CLEAR, kind="recoloured")
    with world.workspace.writing() as session:
        check = session.get_one(Check, old.id)
        rules = [{name: one[name] for name in one if not name.startswith("kind")} for one in check.result["rules"]]
        check.result = {name: value for name, value in check.result.items() if not name.startswith("kind")} | {"rules": rules}
        session.add(check)
    assert client.get(f"/v1/checks/{old.id}").json()["kind"] is None
    tiers = [{"kinds": ["part"], "amount_minor": 50}, {"kinds": ["unspecified"], "amount_minor": 60}]
    tried = {"version": 8, "false_positive_rate": None, "threshold": 0.4, "borderline": None}
    content = {name: value for name, value in (POLICY | tried).items() if value is not None}
    found = client.post("/v1/policies/dry-runs", json=content | {"tariff": TARIFF | {"tiers": tiers}}).json()
    by_kind = {one["kind"]: one["changes"] for one in found["changed"]}
    changed = [
        (one["check_id"], one["kind"], one["amount_before"], one["amount_after"]) for one in by_kind["flag_other_amount"]
    ]
    assert changed == [
        (old.id, "unspecified", 700, 60),
        (part.id, "part", 100, 50),
        (whole.id, "whole", 900, 10_001),
    ]
    [fired] = by_kind["clear_to_flag"]
    assert (fired["check_id"], fired["kind"], fired["amount_after"]) == (clear.id, "recoloured", 10_001)


def test_the_commands_say_the_kind(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = build_world(workspace, owners=OWNERS)
    flag, _ = raised(world, kind="recoloured"), raised(world, kind="part")
    world.gate.close()
    monkeypatch.setenv("SLEEVE_HOME", str(workspace.home))
    shown = CliRunner().invoke(app, ["gate", "flags", "show", flag])
    assert MEANINGS["recoloured"] in " ".join(shown.output.split())
    listed = CliRunner().invoke(app, ["gate", "flags", "list", "--kind", "recoloured", "--json"])
    assert (flag in listed.output, listed.output.count('"check_id"')) == (True, 1)
