"""The command line as its users use it, in processes of its own: answers, exit statuses, one-line errors."""

import errno
import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from services.audit.training_sets.sealed_set import load_sealed_set
from services.commands import main as cli
from shared.workspace import Workspace
from tests.support.factories import encode, imagefolder, picture, png

SLEEVE = [str(Path(sys.executable).with_name("sleeve"))]


def sleeve(home: Path, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SLEEVE_")}
    return subprocess.run(
        [*SLEEVE, *map(str, arguments)],
        env=environment | {"SLEEVE_HOME": str(home), "COLUMNS": "160"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def one_line_error(run: "subprocess.CompletedProcess[str]", code: str) -> None:
    assert run.returncode == 1, run.stdout + run.stderr
    assert run.stderr.count("\n") == 1
    assert run.stderr.startswith("error: ")
    assert run.stderr.rstrip().endswith(f"[{code}]")


def test_ingest_keeps_the_good_rows_and_names_the_bad(tmp_path: Path) -> None:
    folder = imagefolder(tmp_path / "in [1]", 3)
    (folder / "images" / "001.png").write_bytes(png(1)[:100])
    first = sleeve(tmp_path / "home", "ingest", "add", folder, "--acquirer", "Ada")
    assert first.returncode == 1
    assert "2 registered" in first.stdout
    assert "image_damaged" in first.stdout
    second = sleeve(tmp_path / "home", "ingest", "add", folder, "--acquirer", "Ada")
    assert "0 registered, 2 known" in second.stdout
    verified = sleeve(tmp_path / "home", "verify", "log")
    assert verified.returncode == 0
    assert "2 entries" in verified.stdout
    status = sleeve(tmp_path / "home", "ingest", "status").stdout
    assert "in [1]" in status
    # Owner, acquirer, diligence and archival link, of the data set and in total.
    assert status.count("100%") == 8


def test_a_check_tells_a_script_what_to_do(audited_workspace: Workspace, tmp_path: Path) -> None:
    home = audited_workspace.home
    sealed, new, receipt = tmp_path / "known.png", tmp_path / "new.png", tmp_path / "check.tlog-proof"
    sealed.write_bytes(audited_workspace.blobs.load(load_sealed_set(audited_workspace, "small").items[0].blob_sha256))
    new.write_bytes(png(777))
    flagged = sleeve(home, "gate", "check", sealed, "--model", "model-a", "--json", "--receipt", receipt)
    assert flagged.returncode == 3, flagged.stderr
    assert json.loads(flagged.stdout)["decision"] == "flag"
    clear = sleeve(home, "gate", "check", new, "--model", "model-a")
    assert clear.returncode == 0, clear.stderr
    assert "clear (within_control)" in clear.stdout
    verified = sleeve(home, "verify", "receipt", receipt)
    assert verified.returncode == 0
    assert "check.decided" in verified.stdout
    elsewhere = sleeve(tmp_path / "empty", "verify", "receipt", receipt, "--key", home / "log.vkey")
    assert elsewhere.returncode == 0
    text = receipt.read_text(encoding="utf-8")
    receipt.write_text(text.replace("index ", "index 1", 1), encoding="utf-8")
    one_line_error(sleeve(home, "verify", "receipt", receipt), "verification_failed")


@pytest.mark.parametrize(
    ("data", "model", "code"),
    [
        (png(1)[:100], "model-a", "image_damaged"),
        (b"words", "model-a", "not_an_image"),
        (encode(picture(1, 1)), "model-a", "image_too_small"),
        (png(1), "nothing", "model_not_found"),
    ],
)
def test_bad_input_to_the_gate_is_one_line(
    audited_workspace: Workspace, tmp_path: Path, data: bytes, model: str, code: str
) -> None:
    (tmp_path / "x.png").write_bytes(data)
    one_line_error(sleeve(audited_workspace.home, "gate", "check", tmp_path / "x.png", "--model", model), code)


def test_compare_measures_files_and_folders(tmp_path: Path) -> None:
    for side, seed in (("a", 1), ("b", 2)):
        (tmp_path / side).mkdir()
        (tmp_path / side / "same.png").write_bytes(png(5))
        (tmp_path / side / "other.png").write_bytes(png(seed))
    pair = sleeve(tmp_path, "compare", tmp_path / "a" / "same.png", tmp_path / "b" / "same.png", "--json")
    assert json.loads(pair.stdout)["ssim"] == pytest.approx(1)
    rows = json.loads(sleeve(tmp_path, "compare", tmp_path / "a", tmp_path / "b", "--json").stdout)
    assert [row["pair"] for row in rows] == ["other.png", "same.png"]
    assert rows[0]["ssim"] < rows[1]["ssim"]
    output = sleeve(tmp_path, "compare", tmp_path / "a", tmp_path / "b").stdout
    assert "UIQ" in output
    (tmp_path / "small.png").write_bytes(png(1, 20))
    one_line_error(sleeve(tmp_path, "compare", tmp_path / "small.png", tmp_path / "a" / "same.png"), "sizes_differ")
    one_line_error(sleeve(tmp_path, "compare", tmp_path / "a", tmp_path / "small.png"), "compare_arguments")


def test_serving_is_refused_on_anything_but_loopback(tmp_path: Path) -> None:
    for host in ("0.0.0.0", "192.168.1.5", "example.org"):
        one_line_error(sleeve(tmp_path / "home", "serve", "--host", host), "settings_invalid")


def test_sealing_and_unknown_data_sets(audited_workspace: Workspace) -> None:
    home = audited_workspace.home
    one_line_error(sleeve(home, "audit", "seal", "x", "--dataset", "none", "--size", "3"), "dataset_not_found")
    one_line_error(sleeve(home, "audit", "seal", "../x", "--dataset", "works", "--size", "3"), "name_invalid")
    sealed = sleeve(home, "audit", "seal", "twelve", "--dataset", "works", "--size", "12", "--control", "twelve-control")
    assert sealed.returncode == 0
    assert "12 items for train" in sealed.stdout


def test_common_mistakes_are_one_line_each(tmp_path: Path) -> None:
    home, a_file, plain = tmp_path / "home", tmp_path / "file", tmp_path / "plain"
    a_file.write_text("no folder", encoding="utf-8")
    plain.mkdir()
    (plain / "1.png").write_bytes(png(1))
    one_line_error(sleeve(a_file, "ingest", "status"), "home_unusable")
    missing = sleeve(home, "ingest", "add", plain, "--acquirer", "Ada")
    assert missing.returncode == 1
    assert "licence_missing" in missing.stdout
    (plain / "1.png").unlink()
    one_line_error(sleeve(home, "ingest", "add", plain, "--acquirer", "Ada"), "source_unclear")
    one_line_error(sleeve(home, "audit", "train", "a", "--manifest", "none", "--channels", "2"), "invalid_request")
    one_line_error(sleeve(home, "compare", a_file, tmp_path / "none.png"), "file_missing")
    (home / "here").mkdir()
    one_line_error(sleeve(home, "gate", "policy", "dry-run", home / "here"), "policy_unreadable")


def test_a_home_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    assert sleeve(tmp_path, "ingest", "status").returncode == 0
    with sqlite3.connect(tmp_path / "sleeve.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    one_line_error(sleeve(tmp_path, "ingest", "status"), "database_newer")


def test_a_full_disk_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fill() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "blobs/ab")

    monkeypatch.setattr(cli, "app", fill)
    with pytest.raises(SystemExit):
        cli.main()
    assert capsys.readouterr().err == "error: blobs/ab: No space left on device [disk_full]\n"
