"""CSV of any encoding and delimiter, and rows whose quotes do not close."""

from pathlib import Path

import pytest

from services.ingest.bulk.rows import Row
from tests.support.factories import png
from tests.unit.services.ingest.small_sources import opened


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_a_csv_is_told_by_its_content(tmp_path: Path, encoding: str, delimiter: str) -> None:
    (tmp_path / "a.png").write_bytes(png(1))
    lines = [["File Name", "Artist", "Licence"], ["a.png", "Zoë Müller", "MIT"], ["a.png", '"' + "x" * 200_000 + '"', "MIT"]]
    (tmp_path / "metadata.csv").write_bytes("\r\n".join(map(delimiter.join, lines)).encode(encoding))
    first, second = opened(tmp_path).rows()
    assert isinstance(first, Row)
    assert isinstance(second, Row)
    assert [owner.name for owner in first.registration.owners] == ["Zoë Müller"]
    assert second.registration.owners == ()


def test_a_quote_that_is_never_closed_swallows_no_row(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.png").write_bytes(png(ord(name)))
    (tmp_path / "metadata.csv").write_text('file_name,text,license\na.png,"5 in,MIT\nb.png,"two\nlines",MIT\nc.png,"x,MIT')
    assert [row.key for row in opened(tmp_path, licence="MIT").rows() if isinstance(row, Row)] == ["a.png", "b.png", "c.png"]
