"""What the first reading registered, by bare keys and names letter by letter, stays known."""

from pathlib import Path
from typing import Any

from services.ingest.bulk.pipeline import BulkResult, register_rows
from services.ingest.bulk.rows import Row
from services.ingest.sources.cells import to_json
from services.ingest.sources.earlier_columns import build_registration
from shared.workspace import Workspace
from tests.support.factories import png
from tests.unit.services.ingest.small_sources import add, columns, keys_of, options, sample, write_parquet, write_tar


def register_as_before(workspace: Workspace, rows: list[tuple[str, dict[str, Any], bytes]]) -> BulkResult:
    """Register rows as the first reading did: by their bare keys, names letter by letter."""
    before = (
        Row(key, build_registration({name: to_json(value) for name, value in row.items()}, key, options(licence="MIT")), data)
        for key, row, data in rows
    )
    return register_rows(workspace, before)


def test_what_was_registered_under_bare_keys_stays_known(workspace: Workspace, tmp_path: Path) -> None:
    before = register_as_before(workspace, [("0", columns(0) | {"key": "0", "status": "success"}, png(0))])
    assert before.created == 1
    (tmp_path / "in").mkdir()
    write_tar(tmp_path / "in" / "a.tar", sample("0", 0))
    write_tar(tmp_path / "in" / "b.tar", sample("0", 1))
    result = add(workspace, tmp_path / "in")
    assert (result.known, result.created, result.bad) == (1, 1, [])
    assert keys_of(workspace) == ["0", "b/0"]
    assert add(workspace, tmp_path / "in").known == 2


def test_what_an_earlier_reading_registered_stays_known(workspace: Workspace, tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"Title": "A", "artist": "Unknown", "license": "CC0-1.0", "hash": 2**62},
        {"caption": "B", "creator": "Ada", "url": "https://example.org/b"},
    ]
    before = register_as_before(workspace, [(f"{n}.png", row, png(n)) for n, row in enumerate(rows)])
    assert before.created == 2
    table = [{"image": {"bytes": png(n), "path": f"{n}.png"}, **row} for n, row in enumerate(rows)]
    result = add(workspace, write_parquet(tmp_path / "in.parquet", table), licence="MIT")
    assert (result.known, result.created, result.bad) == (2, 0, [])
