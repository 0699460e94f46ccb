"""Two folders compared: every file is named, and a pair that cannot be measured stops no other."""

import json
from pathlib import Path

import pytest
import typer
from PIL import Image

from services.commands.compare import compare
from shared.errors import InputError
from tests.support.factories import png


def run(a: Path, b: Path, capsys: pytest.CaptureFixture[str], *, as_json: bool) -> tuple[int, str]:
    try:
        compare(a, b, as_json=as_json)
    except typer.Exit as stop:
        return stop.exit_code, capsys.readouterr().out
    return 0, capsys.readouterr().out


def test_every_file_of_both_folders_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    for folder in (a, b):
        (folder / "below").mkdir(parents=True)
        (folder / "below" / "same.jfif").write_bytes(png(1))
        (folder / "words.png").write_bytes(b"words")
    (a / "first.png").write_bytes(png(2))
    (b / "second.png").write_bytes(png(3))
    Image.new("RGB", (40, 40), "red").save(a / "size.png")
    Image.new("RGB", (48, 40), "red").save(b / "size.png")
    (a / "z.png").write_bytes(png(4))
    (b / "z.png").write_bytes(png(5))
    status, shown = run(a, b, capsys, as_json=True)
    rows = {row["pair"]: row for row in json.loads(shown)}
    codes = {name: row.get("code") for name, row in rows.items()}
    assert status == 1
    failed = {"first.png": "no_partner", "second.png": "no_partner", "size.png": "sizes_differ", "words.png": "not_an_image"}
    assert codes == failed | {"below/same.jfif": None, "z.png": None}
    assert rows["below/same.jfif"]["ssim"] == 1
    status, shown = run(a, b, capsys, as_json=False)
    assert status == 1
    assert all(name in shown for name in codes)
    assert "40×40 and 48×40" in shown
    assert "2 pairs measured, 4 files not" in shown


def test_folders_of_pairs_alone_have_status_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "one.png").write_bytes(png(1))
    assert run(tmp_path / "a", tmp_path / "b", capsys, as_json=False)[0] == 0
    (tmp_path / "c").mkdir()
    with pytest.raises(InputError, match="has its name"):
        compare(tmp_path / "a", tmp_path / "c")
