"""Runs: every row's outcome kept, interrupted runs continued, changed sources read again."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from services.ingest.bulk import pipeline as bulk
from services.ingest.bulk.rows import AnyRow
from services.ingest.sources.run import RunResult, _locked, add_source, status_path_of
from services.ingest.sources.source import Source
from shared.errors import InputError, UnavailableError
from shared.records.items import count_items
from shared.workspace import Workspace
from tests.support.broken_images import broken_files, palette_without_colours
from tests.support.factories import imagefolder, png
from tests.unit.services.ingest.small_sources import opened, options, sample, write_tar


@dataclass
class Interrupted:
    """A source whose reading breaks off, as a killed process's does; it remembers how many rows it gave."""

    source: Source
    after: int
    given: int = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.source, name)

    def rows(self, skip: int = 0) -> Iterator[AnyRow]:
        for row in self.source.rows(skip):
            if self.given == self.after:
                raise KeyboardInterrupt
            self.given += 1
            yield row


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "BATCH_ROWS", 3)


def run(workspace: Workspace, path: Path, **more: Any) -> RunResult:
    return add_source(workspace, opened(path), options(), **more)


def interrupt(workspace: Workspace, path: Path, after: int) -> None:
    with pytest.raises(KeyboardInterrupt):
        add_source(workspace, Interrupted(opened(path), after), options())


def status(workspace: Workspace) -> list[dict[str, Any]]:
    return [json.loads(line) for line in status_path_of(workspace, "works").read_text(encoding="utf-8").splitlines()]


def progress(workspace: Workspace) -> Path:
    return workspace.home / "ingest" / "works.progress.json"


def test_every_row_has_a_line(workspace: Workspace, tmp_path: Path) -> None:
    folder = imagefolder(tmp_path / "in", 5)
    (folder / "images" / "002.png").write_text("words", encoding="utf-8")
    first = run(workspace, folder)
    lines = status(workspace)
    assert [line["row"] for line in lines] == [f"images/{n:03d}.png" for n in range(5)]
    assert [line["state"] for line in lines] == ["registered", "registered", "refused", "registered", "registered"]
    assert [line["item"] is None for line in lines] == [False, False, True, False, False]
    assert lines[2]["code"] == "not_an_image"
    assert (first.is_complete, first.earlier, progress(workspace).exists()) == (False, {}, False)
    (folder / "images" / "002.png").write_bytes(png(2))
    assert run(workspace, folder).is_complete
    assert [line["state"] for line in status(workspace)] == ["known", "known", "registered", "known", "known"]


@pytest.mark.parametrize("after", [0, 2, 3, 5, 9, 10])
def test_an_interrupted_run_goes_on_and_ends_with_the_same_counts(workspace: Workspace, tmp_path: Path, after: int) -> None:
    path = write_tar(tmp_path / "in.tar", [member for n in range(11) for member in sample(f"{n:02d}", n)])
    interrupt(workspace, path, after)
    done = len(status(workspace))
    assert done <= after
    source = Interrupted(opened(path), 1000)
    seen: list[int] = []
    result = add_source(workspace, source, options(), seen.append)
    assert source.given == 11 - done
    assert sum(seen) == 11
    assert result.rows.created + sum(result.earlier.values()) == 11
    assert [line["row"] for line in status(workspace)] == [f"{n:02d}" for n in range(11)]
    assert not progress(workspace).exists()
    assert workspace.log.integrate().size == 11
    assert run(workspace, path).rows.known == 11


def test_lines_beyond_the_progress_are_cut(workspace: Workspace, tmp_path: Path) -> None:
    path = imagefolder(tmp_path / "in", 8)
    interrupt(workspace, path, 7)
    with status_path_of(workspace, "works").open("ab") as file:
        file.write(b'{"row": "images/003.png", "sta')
    run(workspace, path)
    assert len(status(workspace)) == 8


@pytest.mark.parametrize("change", ["from_start", "source", "licence", "status"])
def test_progress_counts_only_for_the_same_run(workspace: Workspace, tmp_path: Path, change: str) -> None:
    path = imagefolder(tmp_path / "in", 8)
    interrupt(workspace, path, 7)
    changed = options()
    if change == "source":
        with (path / "metadata.jsonl").open("a", encoding="utf-8") as file:
            file.write("\n")
    elif change == "licence":
        changed = options(licence="MIT")
    elif change == "status":
        status_path_of(workspace, "works").write_bytes(b"")
    source = Interrupted(opened(path), 1000)
    result = add_source(workspace, source, changed, from_start=change == "from_start")
    assert source.given == 8
    assert result.earlier == {}
    with workspace.reading() as session:
        assert count_items(session) == 8
    assert len(status(workspace)) == 8


def test_damaged_progress_is_named(workspace: Workspace, tmp_path: Path) -> None:
    path = imagefolder(tmp_path / "in", 8)
    interrupt(workspace, path, 7)
    progress(workspace).write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match="--from-start"):
        run(workspace, path)
    assert run(workspace, path, from_start=True).is_complete


def test_one_run_at_a_time_adds_to_a_data_set(workspace: Workspace, tmp_path: Path) -> None:
    path = imagefolder(tmp_path / "in", 2)
    with _locked(status_path_of(workspace, "works")), pytest.raises(UnavailableError):
        run(workspace, path)
    assert run(workspace, path).is_complete


def test_names_of_data_sets_become_names_of_files(workspace: Workspace) -> None:
    names = [status_path_of(workspace, name).name for name in ("a/b", "a_b", "..", "Bücher 1")]
    assert names == ["a%2Fb.status.jsonl", "a_b.status.jsonl", "...status.jsonl", "B%C3%BCcher 1.status.jsonl"]
    with pytest.raises(InputError):
        status_path_of(workspace, "x" * 201)


def test_a_broken_image_is_refused_by_itself_in_every_run(workspace: Workspace, tmp_path: Path) -> None:
    broken = [palette_without_colours(), *[data for _, data in broken_files()][::100]]
    folder = imagefolder(tmp_path / "in", len(broken) + 2)
    for at, data in enumerate(broken, start=1):
        (folder / "images" / f"{at:03d}.png").write_bytes(data)
    for state in ("registered", "known"):
        run(workspace, folder)
        lines = status(workspace)
        assert [lines[0]["state"], lines[len(broken) + 1]["state"]] == [state, state]
        assert (lines[1]["state"], lines[1]["code"]) == ("refused", "image_damaged")
