"""The commands over items, manifests, diligence, signals and archives: the same answers as the API's, errors in one line."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from services.commands.main import app
from shared.command_line.console import console
from shared.command_line.groups import load_subcommand
from shared.errors import SleeveError
from shared.workspace import Workspace
from tests.support.factories import png, register

SEARCH = ["--searched-by", "Rita", "--searched-at", "2026-03-01T10:00:00Z", "--source", "VG Bild-Kunst"]
SEARCH += ["--work-category", "photography", "--result", "owner_not_found"]


class Sleeve:
    """The command line in this process, over one home."""

    def __init__(self, home: Path) -> None:
        self.runner = CliRunner(env={"SLEEVE_HOME": str(home)})

    def text(self, *arguments: str | Path) -> str:
        result = self.runner.invoke(app, [str(one) for one in arguments], catch_exceptions=True)
        if isinstance(result.exception, SleeveError):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result.output

    def json(self, *arguments: str | Path) -> Any:
        return json.loads(self.text(*arguments, "--json"))

    def refusal(self, *arguments: str | Path) -> str:
        with pytest.raises(SleeveError) as caught:
            self.text(*arguments)
        assert "\n" not in caught.value.message
        return caught.value.code


@pytest.fixture
def sleeve(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Sleeve:
    # The console measures its width when it is made, which may be long before this test.
    monkeypatch.setattr(console, "width", 250)
    return Sleeve(workspace.home)


@pytest.fixture
def items(workspace: Workspace) -> list[str]:
    return [register(workspace, f"{number}.png", png(number), diligence=[]).id for number in range(3)]


def test_items_are_listed_shown_amended_and_withdrawn(sleeve: Sleeve, items: list[str]) -> None:
    page = sleeve.json("ingest", "items", "list", "--limit", "2")
    assert [item["id"] for item in page["items"]] == items[:2]
    rest = sleeve.json("ingest", "items", "list", "--cursor", page["next_cursor"])
    assert [item["id"] for item in rest["items"]] == items[2:]
    assert items[0] in sleeve.text("ingest", "items", "list", "--dataset", "works")
    owner = json.dumps({"name": "Nora", "basis": "letter", "confidence": 0.9})
    amend = ["ingest", "items", "amend", items[0], "--reason", "r"]
    assert sleeve.json(*amend, "--title", "New", "--owner", owner)["owners"][0]["name"] == "Nora"
    assert sleeve.json(*amend, "--no-owners")["owners"] == []
    assert "New" in sleeve.text("ingest", "items", "show", items[0])
    assert sleeve.json("ingest", "items", "withdraw", items[0], "--reason", "r")["state"] == "withdrawn"
    entries = sleeve.json("ingest", "items", "history", items[0])["entries"]
    assert [entry["type"] for entry in entries] == ["item.registered", "item.amended", "item.amended", "item.withdrawn"]
    assert "item.withdrawn" in sleeve.text("ingest", "items", "history", items[0])
    assert sleeve.refusal("ingest", "items", "withdraw", items[0], "--reason", "r") == "item_withdrawn"
    assert sleeve.refusal("ingest", "items", "show", "none") == "item_not_found"
    assert sleeve.refusal("ingest", "items", "amend", items[1], "--reason", "r") == "invalid_request"
    assert sleeve.refusal("ingest", "items", "amend", items[1], "--reason", "r", "--owner", "Nora") == "invalid_request"


def test_manifests_are_sealed_and_proved(sleeve: Sleeve, items: list[str], tmp_path: Path) -> None:
    (tmp_path / "ids").write_text("\n".join(items[:2]), encoding="utf-8")
    sealed = sleeve.json("ingest", "manifests", "seal", "m", "--items-file", tmp_path / "ids")
    assert (sealed["size"], sealed["purpose"]) == (2, "train")
    assert sleeve.json("ingest", "manifests", "show", "m")["root"] == sealed["root"]
    assert sealed["root"] in sleeve.text("ingest", "manifests", "list")
    assert len(sleeve.json("ingest", "manifests", "items", "m")["items"]) == 2
    for number, said in ((1, "is in m"), (2, "is not in m")):
        image, proof = tmp_path / f"{number}.png", tmp_path / f"{number}.json"
        image.write_bytes(png(number))
        assert said in sleeve.text("ingest", "manifests", "prove", "m", "--image", image, "-o", proof)
        verified = sleeve.text("verify", "membership", proof, "--image", image)
        assert verified.startswith("valid:")
        assert said.replace(" m", " manifest m") in verified
        assert sleeve.json("verify", "membership", proof)["member"] is (number == 1)
        assert sleeve.refusal("verify", "membership", proof, "--image", tmp_path / "ids") == "verification_failed"
    assert sleeve.refusal("ingest", "manifests", "seal", "n") == "invalid_request"
    assert sleeve.refusal("ingest", "manifests", "prove", "m", "-o", tmp_path / "x", "--sha256", "ABC") == "invalid_request"
    assert sleeve.refusal("verify", "membership", tmp_path / "ids") == "proof_invalid"


def test_searches_and_signals_are_recorded(sleeve: Sleeve, items: list[str], tmp_path: Path) -> None:
    answer = sleeve.json("ingest", "diligence", "add", *items[:2], *SEARCH)
    assert answer["items"] == items[:2]
    assert sleeve.json("ingest", "diligence", "list", items[0])["searches"] == [answer["search"]]
    assert "owner_not_found" in sleeve.text("ingest", "diligence", "list", items[1])
    assert sleeve.refusal("ingest", "diligence", "add", *SEARCH) == "invalid_request"
    assert sleeve.refusal("ingest", "diligence", "add", "none", *SEARCH) == "item_not_found"
    robots = tmp_path / "robots.txt"
    robots.write_text("User-agent: *\nDisallow: /\n", encoding="utf-8")
    assert sleeve.json("ingest", "signals", "add", items[2], "robots-txt", "--raw", robots)["rights_verdict"] == "deny"
    assert "together: deny" in sleeve.text("ingest", "signals", "list", items[2])
    assert sleeve.refusal("ingest", "signals", "add", items[2], "letter", "--raw", robots) == "signal_verdict_missing"
    found = sleeve.json("ingest", "status")
    assert found["total"] | {"dataset": "works"} == found["datasets"][0]
    counted = {name: found["total"][name] for name in ("items", "owner", "acquirer", "diligence", "denied")}
    assert counted == {"items": 3, "owner": 3, "acquirer": 3, "diligence": 2, "denied": 1}
    shown = sleeve.text("ingest", "status")
    assert "66.7%" in shown
    assert "total" in shown
    assert sleeve.json("ingest", "archive", "states")["unchecked"] == 3
    assert "unchecked" in sleeve.text("ingest", "archive", "states", "--dataset", "works")


@pytest.mark.parametrize("group", ["items", "manifests", "diligence", "signals", "archive"])
def test_every_group_says_its_exit_statuses_and_every_command_takes_json(sleeve: Sleeve, group: str) -> None:
    import typer.main

    assert "Exit status" in sleeve.text("ingest", group, "--help")
    commands: Any = typer.main.get_command(app)
    for name in ("ingest", group):
        commands = load_subcommand(commands, name)
    for command in commands.commands.values():
        assert "--json" in {option for parameter in command.params for option in parameter.opts}, command.name
