"""The pages for users: their lines are found, and the first of the five paths is walked on real photographs.

All five, with the files of other people's tools: `python -m tests.campaigns.user_paths`.
"""

from pathlib import Path

import pytest

from tests.campaigns.user_inputs import served_works
from tests.campaigns.user_paths import SHORT, walk_data_engineer
from tests.campaigns.user_walks import PAGES, list_lines


def test_every_page_has_lines_to_walk() -> None:
    pages = {path.stem: list_lines(path.stem) for path in PAGES.glob("*.md") if path.stem != "README"}
    assert len(pages) == 5
    for page, lines in pages.items():
        assert len(lines) >= 3, page
        # What follows a `#` is for the reader; every `sleeve` at a line's beginning is a command.
        assert sum(line.startswith("sleeve ") for line in (PAGES / f"{page}.md").read_text("utf-8").splitlines()) <= len(lines)
    assert 'sleeve ingest add ./my-images --acquirer "Data team"' in pages["data-engineer"]
    assert "sleeve verify receipt check.tlog-proof --key log.vkey" in pages["court-expert"]


@pytest.mark.usefixtures("shared_data")
def test_the_page_of_the_data_engineer_is_walked(tmp_path: Path) -> None:
    with served_works(tmp_path, SHORT) as works:
        walked = walk_data_engineer(works, None, {}).record()
    assert walked["faults"] == []
    assert len(walked["steps"]) > 10
