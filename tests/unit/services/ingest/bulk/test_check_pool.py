"""Checks in processes of their own: the same results, and what ends a process ends nothing else."""

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from services.ingest.bulk import check_pool, check_worker
from services.ingest.bulk.check_pool import CheckPool, is_quick
from services.ingest.bulk.check_worker import UncheckedRow
from services.ingest.registration.preparation import PreparedItem, check_item
from services.ingest.signals.signal import Signal
from shared.errors import InputError, UnavailableError
from shared.workspace import Workspace
from tests.support.factories import png, registration
from tests.support.paths import ROOT


def row(key: str, data: bytes) -> UncheckedRow:
    return registration(key), data, (Signal("x-robots-tag", "deny", "0" * 64, {"value": "noai"}),)


def slow_jpeg() -> bytes:
    """A small file that takes long, within every limit on sizes: many passes over 49 million pixels."""
    out = io.BytesIO()
    Image.new("L", (7000, 7000), 128).save(out, format="JPEG", progressive=True)
    data = out.getvalue()
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * 55 + data[-2:]


@pytest.fixture(autouse=True)
def _workers_for_every_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_pool, "FEW_ROWS", 0)
    monkeypatch.setattr(check_pool, "CHUNK_ROWS", 3)


def results(workspace: Workspace, rows: list[UncheckedRow], **pool_options: float) -> list[PreparedItem | InputError]:
    with CheckPool(workspace.limits, workspace.blobs, workers=2, **pool_options) as pool:
        return [one for chunk in pool.submit(rows) for one in chunk.result()]


def code_of(one: PreparedItem | InputError) -> str | None:
    return one.code if isinstance(one, InputError) else None


def test_a_worker_finds_what_this_process_finds(workspace: Workspace) -> None:
    rows = [row(f"{n}.png", png(n) if n % 3 else b"no image") for n in range(8)]
    found = results(workspace, rows)
    for (record, data, signals), one in zip(rows, found, strict=True):
        if data == b"no image":
            assert code_of(one) == "not_an_image"
            continue
        assert one == check_item(record, data, workspace.limits, source_signals=signals)
        assert isinstance(one, PreparedItem)
        assert workspace.blobs.load(one.blob.sha256) == data


def test_an_image_that_takes_too_long_is_refused_and_no_other(workspace: Workspace) -> None:
    data = slow_jpeg()
    assert len(data) < 4 * 2**20
    assert not is_quick(data)
    rows = [row("a.png", png(1)), row("slow.jpg", data), row("b.png", png(2)), row("c.png", png(3))]
    # Half of the usual limit, so that a quick machine meets it too.
    assert [code_of(one) for one in results(workspace, rows, check_seconds=1)] == [None, "image_too_slow", None, None]


def test_a_worker_that_is_killed_loses_no_row(workspace: Workspace) -> None:
    with CheckPool(workspace.limits, workspace.blobs, workers=1) as pool:
        [first] = pool.submit([row("a.png", png(1))])
        first.result()
        pool._all[0]._process.kill()
        [second] = pool.submit([row("b.png", png(2)), row("c.png", png(3))])
        assert [code_of(one) for one in second.result()] == [None, None]


def test_an_image_that_ends_every_worker_is_refused(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    ask = check_pool._Worker.ask

    def ask_or_die(self: check_pool._Worker, rows: list[UncheckedRow]) -> bytes:
        if any(data == b"hostile" for _, data, _ in rows):
            self._process.send_signal(signal.SIGSEGV)
        return ask(self, rows)

    monkeypatch.setattr(check_pool._Worker, "ask", ask_or_die)
    rows = [row("a.png", png(1)), row("bad.png", b"hostile"), row("b.png", png(2))]
    assert [code_of(one) for one in results(workspace, rows)] == [None, "image_undecodable", None]


def test_bytes_that_cannot_be_stored_are_no_fault_of_the_row(workspace: Workspace) -> None:
    workspace.blobs.folder.write_bytes(b"a file where a folder should be")
    with pytest.raises(UnavailableError, match="cannot be stored"):
        results(workspace, [row("a.png", png(1))])


def test_a_few_small_images_start_no_process(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_pool, "FEW_ROWS", 10)
    with CheckPool(workspace.limits, workspace.blobs) as pool:
        [chunk] = pool.submit([row("a.png", png(1)), row("b.png", b"none")])
        assert [code_of(one) for one in chunk.result()] == [None, "not_an_image"]
        assert pool._all == []


def test_workers_end_with_a_parent_that_is_killed(workspace: Workspace, tmp_path: Path) -> None:
    script = f"""
import time
from pathlib import Path
from services.ingest.bulk.check_pool import CheckPool
from shared.blobs import BlobStore
from shared.vision.image_limits import ImageLimits
from tests.support.factories import png, registration
from services.ingest.bulk import check_pool
check_pool.FEW_ROWS = 0
with CheckPool(ImageLimits(10**6, 10**6, 8), BlobStore(Path({str(tmp_path)!r})), workers=2) as pool:
    pool.submit([(registration("a"), png(1), ())])[0].result()
    print(*[worker._process.pid for worker in pool._all], flush=True)
    time.sleep(60)
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    parent = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    workers = [int(word) for word in parent.stdout.readline().split()]
    assert workers
    parent.kill()
    parent.communicate()
    deadline = time.monotonic() + 30
    while any(is_running(worker) for worker in workers):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_running(process_id: int) -> bool:
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_the_limit_is_that_of_the_project() -> None:
    assert check_worker.CHECK_SECONDS == 4
