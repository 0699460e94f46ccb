"""Payables over REST and as a command: the flags divided, to the last minor unit, safe to open in a spreadsheet."""

import csv
import io
import json
from fractions import Fraction
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from services.commands.main import app
from shared.workspace import Workspace
from tests.support.flag_client import raised, review, step
from tests.support.gate_records import GateWorld, build_world


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_payables_are_the_flags_divided_and_add_up(client: TestClient, world: GateWorld) -> None:
    flags = [raised(world, at) for at in (0, 1, 2)]
    review(client, flags[0])
    step(client, flags[0], "hold", "finance", reason="bank details are wrong")
    review(client, flags[2], "overturn", reason="a common motif")
    page = client.get("/v1/payables", params={"limit": 1}).json()
    more = client.get("/v1/payables", params={"cursor": page["next_cursor"]}).json()
    rows = [*page["items"], *more["items"]]
    assert [(row["flag_id"], row["held"]) for row in rows] == [*[(flags[0], "on_hold")] * 3, *[(flags[1], None)] * 3]
    for flag in flags[:2]:
        assert sum(row["amount_minor"] for row in rows if row["flag_id"] == flag) == 10_001
        assert sum(Fraction(repr(row["share"])) for row in rows if row["flag_id"] == flag) == 1
    answer = client.get("/v1/payables", headers={"Accept": "text/csv"})
    assert answer.headers["content-type"].startswith("text/csv")
    table = rows_of(answer.text)
    assert [(row["owner"], int(row["amount_minor"])) for row in table] == [(row["owner"], row["amount_minor"]) for row in rows]
    assert {row["state"] for row in rows_of(client.get("/v1/payables", headers={"Accept": "text/csv"}).text)} == {
        "raised",
        "reviewed",
    }
    overturned = client.get("/v1/payables", params={"state": "overturned"}).json()["items"]
    assert {row["flag_id"] for row in overturned} == {flags[2]}


def test_no_name_becomes_a_formula(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ['=HYPERLINK("https://evil.test","pay")', "+1", "-1", "@SUM(A1)", "a,b\nc", "Ölga"]
    owners = [{"name": name, "basis": "dataset metadata", "confidence": 0.5} for name in names]
    world = build_world(workspace, owners=owners)
    flag = raised(world)
    world.gate.close()
    monkeypatch.setenv("SLEEVE_HOME", str(workspace.home))
    file = tmp_path / "payables.csv"
    assert CliRunner().invoke(app, ["gate", "payables", "--csv", str(file)]).exit_code == 0
    table = rows_of(file.read_bytes().decode())
    assert [row["owner"] for row in table] == [f"'{name}" for name in names[:4]] + names[4:]
    assert sum(int(row["amount_minor"]) for row in table) == 10_001
    shown = CliRunner().invoke(app, ["gate", "flags", "show", flag, "--json"])
    assert [one["name"] for one in json.loads(shown.output)["owners"]] == names
    for words in (
        ["review", "list"],
        ["review", "confirm", flag, "--name", "Rita"],
        ["flags", "step", flag, "notify", "--role", "compliance"],
        ["flags", "list", "--state", "notified"],
        ["flags", "show", flag],
        ["flags", "history", flag],
        ["payables"],
    ):
        done = CliRunner().invoke(app, ["gate", *words])
        assert done.exit_code == 0, (words, done.output)
        assert words == ["review", "confirm", flag, "--name", "Rita"] or flag[:8] in done.output, words
