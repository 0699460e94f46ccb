"""Arrow as `save_to_disk` writes it: splits, labels, damage named, a second run adds nothing."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from sqlmodel import select

from shared.errors import InputError
from shared.records.items import Item
from shared.workspace import Workspace
from tests.support.factories import png
from tests.unit.services.ingest.small_sources import add, columns, opened


def save_to_disk(folder: Path, rows: list[dict[str, Any]], *, as_file: bool = False) -> Path:
    """A data set as the library saves it: a stream of rows, its state and its features."""
    folder.mkdir(parents=True)
    table = pa.Table.from_pylist(rows)
    name = "data-00000-of-00001.arrow"
    make = pa.ipc.new_file if as_file else pa.ipc.new_stream
    with make(str(folder / name), table.schema) as writer:
        writer.write_table(table, max_chunksize=2)
    features = {"image": {"_type": "Image"}, "label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}
    (folder / "dataset_info.json").write_text(json.dumps({"features": features}), encoding="utf-8")
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": name}]}), encoding="utf-8")
    return folder


def rows_of(first: int, count: int) -> list[dict[str, Any]]:
    return [
        {"image": {"bytes": png(n), "path": f"{n - first}.png"}, "label": n % 2, **columns(n)}
        for n in range(first, first + count)
    ]


@pytest.mark.parametrize("as_file", [False, True])
def test_splits_are_read_with_labels_and_keys_of_their_own(workspace: Workspace, tmp_path: Path, as_file: bool) -> None:
    save_to_disk(tmp_path / "in" / "train", rows_of(0, 3), as_file=as_file)
    save_to_disk(tmp_path / "in" / "test", rows_of(3, 2), as_file=as_file)
    (tmp_path / "in" / "dataset_dict.json").write_text('{"splits": ["train", "test"]}', encoding="utf-8")
    assert opened(tmp_path / "in").kind == "arrow"
    result = add(workspace, tmp_path / "in")
    assert (result.created, result.bad, result.no_pictures) == (5, [], 5)
    assert add(workspace, tmp_path / "in").known == 5
    with workspace.reading() as session:
        items = session.exec(select(Item).order_by(Item.source_key)).all()
    assert {item.extra["label"] for item in items} == {"cat", "dog"}
    assert "train/data-00000-of-00001/0/0.png" in {item.source_key for item in items}
    keys = [row.key for row in opened(tmp_path / "in").rows()]
    assert [row.key for row in opened(tmp_path / "in").rows(3)] == keys[3:]


def test_what_is_missing_or_damaged_is_refused(tmp_path: Path) -> None:
    folder = save_to_disk(tmp_path / "in", rows_of(0, 3))
    file = folder / "data-00000-of-00001.arrow"
    data = file.read_bytes()
    file.write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match="damaged"):
        list(opened(folder).rows())
    file.unlink()
    (folder / "other.arrow").write_bytes(data)
    with pytest.raises(InputError, match="got none"):
        list(opened(folder).rows())
