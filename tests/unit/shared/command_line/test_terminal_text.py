"""Titles, file names and messages of strangers are shown on a terminal and never obeyed."""

import json
import re
import sys
from pathlib import Path

import pytest
from rich.progress import TextColumn

from services.commands.main import main
from shared.command_line.console import console, progress
from shared.command_line.terminal_text import escape_controls
from shared.workspace import Workspace
from tests.support.factories import imagefolder, png, register

HOSTILE = "\x1b]0;owned\x07\x1b[2J\x9b31mpicture\u202egnp\r"
OBEYED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[str, int]:
    monkeypatch.setattr(sys, "argv", ["sleeve", *arguments])
    status = 0
    try:
        main()
    except SystemExit as error:
        status = int(error.code or 0)
    captured = capfd.readouterr()
    return captured.out + captured.err, status


def test_controls_are_shown_and_words_stay() -> None:
    assert escape_controls(HOSTILE).startswith(r"\u001b]0;owned\u0007\u001b[2J\u009b31mpicture\u202egnp\u000d")
    assert escape_controls("Grüße\t漢字\n🙂") == "Grüße\t漢字\n🙂"
    assert json.loads(escape_controls(json.dumps({"a": "\\\x9b"}, ensure_ascii=False))) == {"a": "\\\x9b"}


def test_a_bar_and_a_markup_column_obey_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    with progress() as bars:
        bars.add_task(HOSTILE, total=1)
    console.print(TextColumn(HOSTILE).get_table_column().header, HOSTILE)
    assert not OBEYED.search(capfd.readouterr().out.replace("\x1b[?25l", "").replace("\x1b[?25h", ""))


def test_the_record_of_a_hostile_title_is_shown(
    workspace: Workspace, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLEEVE_HOME", str(workspace.home))
    item = register(
        workspace,
        f"{HOSTILE[:-1]}.png",
        png(1),
        title=HOSTILE,
        owners=[{"name": HOSTILE, "basis": "dataset metadata", "confidence": 0.5}],
    )
    for arguments in (
        ["ingest", "items", "show", item.id],
        ["ingest", "items", "show", item.id, "--json"],
        ["ingest", "items", "history", item.id],
    ):
        shown, status = run(capfd, monkeypatch, *arguments)
        assert (status, OBEYED.search(shown)) == (0, None), arguments
        assert "owned" in shown


def test_hostile_file_names_and_messages_are_shown(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLEEVE_HOME", str(tmp_path / "home"))
    folder = imagefolder(tmp_path / f"set-{HOSTILE}", 1)
    (folder / "images" / "000.png").write_bytes(b"no picture")
    broken = f"broken-{HOSTILE}\udcff.png"
    (folder / "images" / broken).write_bytes(png(2)[:40])
    with (folder / "metadata.jsonl").open("ab") as rows:
        rows.write(b'{"file_name": "images/\\u001b[2J\\u009b1m.png", "title": "\\u001b[2Jt"}\n')
    for arguments in (
        ["ingest", "add", str(folder), "--dataset", "works", "--acquirer", "Ada"],
        ["ingest", "fingerprint", str(folder / "images" / broken)],
        ["ingest", "items", "show", HOSTILE],
        ["ingest", "items", f"--{HOSTILE}"],
        ["ingest", HOSTILE],
        ["keys", "create", "name", "--scope", HOSTILE],
        ["verify", "receipt", f"missing-{HOSTILE}"],
    ):
        shown, status = run(capfd, monkeypatch, *arguments)
        assert status != 0, arguments
        assert not OBEYED.search(shown), (arguments, shown)
