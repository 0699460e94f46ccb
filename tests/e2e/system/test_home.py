"""The home folder: closed to others, without erased names, and honest about what is missing or damaged in it."""

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from structlog.testing import capture_logs

from services.commands.main import main
from services.ingest.lifecycle.erasure import erase
from services.output_gate.opening import open_gate
from services.server.app import create_app
from shared.errors import CorruptStateError
from shared.settings import Settings
from shared.workspace import Workspace, open_workspace
from tests.support.factories import imagefolder, png, register
from tests.support.gate_records import FLAGGED, build_world
from tests.support.keys import party_named

NAME = "Zephyrine Quandary"


@pytest.fixture
def usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def reopen(home: Path) -> Workspace:
    return open_workspace(Settings(home=home, database_url=None))


def open_to_others(home: Path) -> list[Path]:
    return [path for path in (home, *home.rglob("*")) if path.lstat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)]


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["sleeve", *arguments])
    try:
        main()
    except SystemExit as error:
        return int(error.code or 0)
    return 0


@pytest.mark.usefixtures("usual_umask")
def test_nothing_in_a_home_is_readable_by_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("SLEEVE_HOME", str(home))
    folder = imagefolder(tmp_path / "set", 3)
    assert run(monkeypatch, "ingest", "add", str(folder), "--dataset", "works", "--acquirer", "Ada") == 0
    assert run(monkeypatch, "ingest", "manifests", "seal", "m", "--dataset", "works") == 0
    workspace = reopen(home)
    gate = open_gate(workspace)
    with TestClient(create_app(workspace, gate), base_url="http://127.0.0.1") as client:
        assert client.get("/checkpoint").status_code == 200
    assert len(list(home.rglob("*"))) > 20
    assert open_to_others(home) == []


@pytest.mark.usefixtures("usual_umask")
def test_a_home_that_is_open_is_tightened_once_and_it_is_said(workspace: Workspace) -> None:
    register(workspace, "a.png", png(1))
    for path in (workspace.home, *workspace.home.rglob("*")):
        if path.name != "log.pem":
            path.chmod(0o755 if path.is_dir() else 0o644)
    with capture_logs() as logs:
        reopen(workspace.home).engine.dispose()
        reopen(workspace.home).engine.dispose()
    assert [event["event"] for event in logs] == ["home_tightened"]
    assert open_to_others(workspace.home) == []


def test_an_erased_name_is_in_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("SLEEVE_HOME", str(home))
    bulk = imagefolder(tmp_path / "set", 3, creator=NAME)
    assert run(monkeypatch, "ingest", "add", str(bulk), "--dataset", "bulk", "--acquirer", "Ada") == 0
    owner = {"name": NAME, "basis": "dataset metadata", "confidence": 0.9}
    search = {"source": "x", "query": NAME, "searched_at": "2026-01-31T12:00:00Z", "result": "creator named"}
    world = build_world(reopen(home), owners=[owner], diligence=[search])
    world.decided(FLAGGED)
    world.gate.close()
    with world.workspace.reading() as session:
        assert session.connection().exec_driver_sql("SELECT count(*) FROM party WHERE name = ?", (NAME,)).scalar()
    assert files_with(home, NAME)
    for party in parties_called(world.workspace, NAME):
        erase(world.workspace, party, "asked for")
    assert files_with(home, NAME) == []


def parties_called(workspace: Workspace, name: str) -> list[str]:
    with workspace.reading() as session:
        rows = session.connection().exec_driver_sql("SELECT id FROM party WHERE name = ?", (name,))
        return [row[0] for row in rows]


def files_with(home: Path, name: str) -> list[str]:
    """Every file of a home in which a name stands, as text or in JSON."""
    return [str(path) for path in home.rglob("*") if path.is_file() and name.encode() in path.read_bytes()]


def test_a_missing_log_key_is_not_replaced_where_the_log_was_signed(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    register(workspace, "a.png", png(1))
    key = workspace.home / "keys" / "log.pem"
    kept = key.read_bytes()
    key.unlink()
    with pytest.raises(CorruptStateError) as caught:
        reopen(workspace.home)
    assert caught.value.code == "log_key_missing"
    assert "restore the key" in caught.value.message
    monkeypatch.setenv("SLEEVE_HOME", str(workspace.home))
    assert run(monkeypatch, "ingest", "status") == 1
    assert "[log_key_missing]" in capsys.readouterr().err
    assert not key.exists()
    key.write_bytes(kept)
    reopen(workspace.home).engine.dispose()


def test_a_damaged_database_is_one_line_with_the_remedy(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(20):
        register(workspace, f"{number}.png", png(number))
    gate = open_gate(workspace)
    client = TestClient(create_app(workspace, gate), base_url="http://127.0.0.1", raise_server_exceptions=False)
    workspace.engine.dispose()
    file = workspace.home / "sleeve.db"
    for suffix in ("-wal", "-shm"):
        file.with_name(file.name + suffix).unlink(missing_ok=True)
    pages = bytearray(file.read_bytes())
    pages[4096:] = b"\xa5" * (len(pages) - 4096)
    file.write_bytes(pages)
    for path in ("/v1/items", "/v1/manifests", "/v1/keys", "/checkpoint"):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json"), path
        assert answer.json()["code"] == "database_damaged", path
    gate.close()
    capsys.readouterr()  # the access log of these requests
    monkeypatch.setenv("SLEEVE_HOME", str(workspace.home))
    for content in (bytes(pages), b"no database at all" * 1000):
        file.write_bytes(content)
        assert run(monkeypatch, "ingest", "status") == 1
        shown = capsys.readouterr().err
        assert shown.count("\n") == 1, shown
        assert "[database_damaged]" in shown
        assert ".recover" in shown


def test_the_erasure_of_nobody_changes_nothing(workspace: Workspace) -> None:
    register(workspace, "a.png", png(1))
    party = party_named(workspace, "Olga Owner")
    assert erase(workspace, party, "asked for") > 0
    assert not (workspace.home / "sleeve.db-wal").exists() or (workspace.home / "sleeve.db-wal").stat().st_size == 0
