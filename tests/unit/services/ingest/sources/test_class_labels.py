"""Class labels: numbers of a column stand for names."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from sqlmodel import select

from services.ingest.coverage import measure_coverage
from shared.records.items import Item
from shared.workspace import Workspace
from tests.support.factories import png
from tests.unit.services.ingest.small_sources import add


def test_class_labels_are_names(workspace: Workspace, tmp_path: Path) -> None:
    rows = [{"image": {"bytes": png(n), "path": f"{n}.png"}, "artist": n - 1, "style": 0} for n in range(3)]
    features = {
        "image": {"_type": "Image"},
        "artist": {"names": ["Ada", "unknown"], "_type": "ClassLabel"},
        "style": {"names": ["ink"], "_type": "ClassLabel"},
    }
    info = json.dumps({"info": {"features": features}}).encode()
    table = pa.Table.from_pylist(rows).replace_schema_metadata({"huggingface": info})
    pq.write_table(table, tmp_path / "in.parquet")
    assert add(workspace, tmp_path / "in.parquet", licence="MIT").created == 3
    with workspace.reading() as session:
        items = session.exec(select(Item).order_by(Item.source_key)).all()
        [coverage] = measure_coverage(session)
    assert coverage.owner == 1
    assert [item.extra["style"] for item in items] == ["ink"] * 3
