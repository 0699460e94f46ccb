"""Images that mean harm or are damaged, through the function that registers: refused in words or taken whole, no crash."""

import os
import subprocess
import sys
from pathlib import Path

from tests.campaigns.bad_images import judge, quick_cases
from tests.campaigns.decoding import MAX_RSS_BYTES, MAX_SECONDS
from tests.campaigns.mutations import run_mutations
from tests.support.warned_files import warned_files


def test_bombs_truncations_and_polyglots_do_no_harm(tmp_path: Path) -> None:
    outcomes, wrong = judge(quick_cases(), tmp_path)
    assert not wrong, "\n".join(wrong)
    assert len(outcomes) > 500


def test_mutations_do_no_harm(tmp_path: Path) -> None:
    tally = run_mutations(tmp_path, 2000, seed=1)
    assert tally.defects == []
    assert tally.slowest_seconds < MAX_SECONDS
    assert tally.rss_bytes < MAX_RSS_BYTES
    # Both ends are reached: neither is everything refused nor everything taken.
    assert min(tally.outcomes["accepted"], tally.outcomes["image_damaged"]) > 50


def test_what_pillow_warns_of_is_registered_without_a_word_on_the_terminal(tmp_path: Path) -> None:
    files = warned_files()
    (tmp_path / "in").mkdir()
    for name, data in files.items():
        (tmp_path / "in" / name).write_bytes(data)
    rows = "".join(f"{name},CC0-1.0\n" for name in files)
    (tmp_path / "in" / "metadata.csv").write_text(f"file_name,licence\n{rows}", encoding="utf-8")
    ran = subprocess.run(
        [str(Path(sys.executable).with_name("sleeve")), "ingest", "add", str(tmp_path / "in"), "--acquirer", "Ada"],
        env=os.environ | {"SLEEVE_HOME": str(tmp_path / "home"), "PYTHONWARNINGS": "always::UserWarning"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert f"{len(files)} registered" in ran.stdout
    assert "warning" not in (ran.stdout + ran.stderr).lower()
