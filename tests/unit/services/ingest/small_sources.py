"""Small sources of every kind, written as the tools that make real ones write them."""

import io
import json
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from sqlmodel import select

from services.ingest.bulk.pipeline import BulkResult, register_rows
from services.ingest.sources.registry import open_source
from services.ingest.sources.source import Source, SourceOptions
from shared.records.items import Item
from shared.workspace import Workspace
from tests.support.factories import png


def options(**changed: Any) -> SourceOptions:
    """Options as the command line gives them."""
    return SourceOptions(**{"dataset": "works", "acquirer": "Ada", "max_bytes": 2**20, **changed})


def opened(path: Path, **changed: Any) -> Source:
    """The source at a path, of the kind that is recognised."""
    return open_source(path, options(**changed))


def add(workspace: Workspace, path: Path, **changed: Any) -> BulkResult:
    """Register a source."""
    return register_rows(workspace, opened(path, **changed).rows())


def refusals(result: BulkResult) -> dict[str, str]:
    """The refused rows' codes by their keys."""
    return {bad.key: bad.error.code for bad in result.bad}


def keys_of(workspace: Workspace) -> list[str]:
    """The keys of all items."""
    with workspace.reading() as session:
        return sorted(item.source_key for item in session.exec(select(Item)))


def columns(number: int, **changed: Any) -> dict[str, Any]:
    """The columns of a complete row; None takes one away."""
    row = {
        "title": f"Work {number}",
        "creator": f"Creator {number % 3}",
        "licence": "CC0-1.0",
        "url": f"https://example.org/works/{number}",
    }
    return {name: value for name, value in (row | changed).items() if value is not None}


def write_tar(path: Path, members: Iterable[tuple[str, bytes | tarfile.TarInfo]]) -> Path:
    """A tar of these members; a TarInfo stands for a member without content."""
    with tarfile.open(path, "w") as tar:
        for name, content in members:
            if isinstance(content, tarfile.TarInfo):
                tar.addfile(content)
                continue
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def sample(key: str, number: int, **changed: Any) -> list[tuple[str, bytes | tarfile.TarInfo]]:
    """One sample as img2dataset writes it."""
    record = {"key": key, "status": "success", **columns(number, **changed)}
    return [(f"{key}.png", png(number)), (f"{key}.json", json.dumps(record).encode())]


def write_parquet(path: Path, rows: list[dict[str, Any]], row_group_size: int = 4) -> Path:
    """A Parquet file of these rows."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    table = pa.Table.from_pydict({name: [row.get(name) for row in rows] for name in names})
    pq.write_table(table, path, row_group_size=row_group_size)
    return path


def huggingface_rows(count: int) -> list[dict[str, Any]]:
    """Rows with the image as a struct of bytes and path."""
    return [{"image": {"bytes": png(number), "path": f"{number}.png"}, **columns(number)} for number in range(count)]
