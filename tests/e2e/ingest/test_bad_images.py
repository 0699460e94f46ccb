"""Images that mean harm or are damaged, through the function that registers: refused in words or taken whole, no crash."""

from pathlib import Path

from tests.campaigns.bad_images import judge, quick_cases
from tests.campaigns.decoding import MAX_RSS_BYTES, MAX_SECONDS
from tests.campaigns.mutations import run_mutations


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
