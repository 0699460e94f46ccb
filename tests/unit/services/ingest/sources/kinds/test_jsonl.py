"""A file of JSON Lines as a source."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

from services.ingest.bulk.rows import Row
from services.ingest.sources.registry import open_source
from services.ingest.sources.run import add_source
from services.ingest.sources.source import SourceOptions
from shared.workspace import Workspace
from tests.support.factories import png, registration
from tests.unit.services.ingest.small_sources import opened


def record(key: str = "a", **changed: object) -> dict[str, Any]:
    return registration(key).model_dump(mode="json", exclude_defaults=True) | changed


def test_a_file_of_lines_is_a_source(workspace: Workspace, tmp_path: Path) -> None:
    image = base64.b64encode(png(1)).decode()
    bare = {name: value for name, value in record("b").items() if name not in {"dataset", "acquirer", "licence"}}
    lines = [
        record(image=image),
        bare | {"sha256": hashlib.sha256(png(1)).hexdigest()},
        record("c", dataset="other", image=image),
    ]
    path = tmp_path / "works.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)) + "\n\n{\n")
    options = SourceOptions("works", "Ada", workspace.limits.max_bytes, "CC0-1.0")
    source = open_source(path, options)
    assert (source.kind, source.count()) == ("jsonl", 4)
    result = add_source(workspace, source, options)
    assert (result.rows.created, result.rows.refused) == (2, 2)
    assert [(bad.key, bad.error.code) for bad in result.rows.bad] == [("c", "dataset_differs"), ("line 5", "line_malformed")]
    assert [row.key for row in source.rows(3)] == ["line 5"]


def test_json_lines_are_read_by_the_same_rules(tmp_path: Path) -> None:
    line = {
        "source_key": "a",
        "licence": "MIT",
        "image": base64.b64encode(png(1)).decode(),
        "extra": {"hash": 2**63, "pwatermark": float("nan")},
        "owners": [{"name": "Unknown", "basis": "x", "confidence": 0.5}],
    }
    (tmp_path / "in.jsonl").write_text(json.dumps(line))
    [row] = opened(tmp_path / "in.jsonl").rows()
    assert isinstance(row, Row)
    assert row.registration.owners == ()
    assert (row.registration.extra["hash"], row.registration.extra["pwatermark"]) == (str(2**63), "nan")
