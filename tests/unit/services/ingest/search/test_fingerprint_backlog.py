"""Catching up with registration: complete, resumable, shared between processes, honest about what cannot be decoded."""

import multiprocessing
import threading
import time

import pytest

from services.ingest.search import fingerprint_backlog as module
from services.ingest.search.fingerprint_backlog import background_catch_up, catch_up, count_missing, forget
from shared.canonical import sha256_hex
from shared.errors import UnavailableError
from shared.records.fingerprints import load_failed_blobs
from shared.settings import Settings
from shared.vision.fingerprints import RECIPE
from shared.vision.perceptual_hash import MIN_QUALITY
from shared.workspace import Workspace, open_workspace
from tests.support.factories import png, register
from tests.unit.services.ingest.search.copies import fingerprint_rows, register_many

WAIT_SECONDS = 20
BLOBS = 30


def registered(workspace: Workspace, count: int) -> list[str]:
    files = [png(number) for number in range(count)]
    register_many(workspace, {f"{number}.png": data for number, data in enumerate(files)})
    return [sha256_hex(data) for data in files]


def test_every_blob_gets_one_fingerprint(any_workspace: Workspace) -> None:
    blobs = registered(any_workspace, 5)
    register(any_workspace, "again.png", png(0))
    assert (count_missing(any_workspace), catch_up(any_workspace), catch_up(any_workspace)) == (5, 5, 0)
    rows = fingerprint_rows(any_workspace)
    assert [row[0] for row in rows] == sorted(blobs)
    assert {row[1] for row in rows} == {RECIPE}
    assert all(row[4] >= MIN_QUALITY and len(row[3]) == 32 and row[5] is None for row in rows)
    assert len({row[2] for row in rows}) == 5
    register(any_workspace, "new.png", png(99))
    assert (catch_up(any_workspace), count_missing(any_workspace)) == (1, 0)


def test_a_run_that_was_stopped_goes_on(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH_BLOBS", 2)
    registered(workspace, 7)
    assert catch_up(workspace, on_blobs=lambda _count, _seconds: False) <= 2
    assert catch_up(workspace, seconds=0) == 0
    assert 5 <= count_missing(workspace) <= 6
    catch_up(workspace)
    assert count_missing(workspace) == 0


def test_deleted_fingerprints_are_made_again_the_same(any_workspace: Workspace) -> None:
    registered(any_workspace, 4)
    catch_up(any_workspace)
    before = fingerprint_rows(any_workspace)
    forget(any_workspace, only_failed=False)
    assert fingerprint_rows(any_workspace) == []
    catch_up(any_workspace)
    assert fingerprint_rows(any_workspace) == before


def test_a_blob_that_cannot_be_decoded_is_recorded_and_left_alone(any_workspace: Workspace) -> None:
    missing, damaged, good = registered(any_workspace, 3)
    any_workspace.blobs.path(missing).unlink()
    kept = any_workspace.blobs.path(damaged).read_bytes()
    any_workspace.blobs.path(damaged).write_bytes(kept[:-1])
    assert catch_up(any_workspace) == 3
    with any_workspace.reading() as session:
        failed = load_failed_blobs(session, RECIPE)
    assert dict(failed) == {missing: "blob_not_found", damaged: "blob_damaged"}
    assert (catch_up(any_workspace), count_missing(any_workspace)) == (0, 0)
    any_workspace.blobs.path(damaged).write_bytes(kept)
    forget(any_workspace, only_failed=True)
    assert catch_up(any_workspace) == 2
    with any_workspace.reading() as session:
        assert load_failed_blobs(session, RECIPE) == [(missing, "blob_not_found")]
    assert [row[0] for row in fingerprint_rows(any_workspace) if row[5] is None] == sorted([damaged, good])


def test_blobs_that_decode_no_more_under_the_limits_are_recorded(workspace: Workspace) -> None:
    registered(workspace, 1)
    stricter = open_workspace(workspace.settings.model_copy(update={"max_image_px": 10}))
    assert catch_up(stricter) == 1
    with workspace.reading() as session:
        assert [code for _, code in load_failed_blobs(session, RECIPE)] == ["image_too_many_pixels"]
    stricter.engine.dispose()


def test_a_folder_that_is_not_there_fails_no_blob(workspace: Workspace) -> None:
    registered(workspace, 2)
    workspace.blobs.folder.rename(workspace.home / "elsewhere")
    with pytest.raises(UnavailableError):
        catch_up(workspace)
    assert fingerprint_rows(workspace) == []


def run_in_process(settings: Settings, both_ready: "multiprocessing.synchronize.Barrier") -> None:
    module.BATCH_BLOBS = 3
    workspace = open_workspace(settings)
    both_ready.wait()
    catch_up(workspace)
    workspace.engine.dispose()


def test_two_processes_catch_up_at_once(any_workspace: Workspace) -> None:
    registered(any_workspace, BLOBS)
    context = multiprocessing.get_context("spawn")
    both_ready = context.Barrier(2)
    workers = [context.Process(target=run_in_process, args=(any_workspace.settings, both_ready)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0]
    together = fingerprint_rows(any_workspace)
    assert len(together) == BLOBS
    forget(any_workspace, only_failed=False)
    catch_up(any_workspace)
    assert fingerprint_rows(any_workspace) == together


def test_a_server_catches_up_by_itself(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_SECONDS", 0.01)
    before = threading.active_count()
    with background_catch_up(workspace):
        registered(workspace, 3)
        deadline = time.monotonic() + WAIT_SECONDS
        while count_missing(workspace) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert count_missing(workspace) == 0
    assert threading.active_count() == before


def test_the_background_survives_what_may_come_back(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_SECONDS", 0.01)
    registered(workspace, 2)
    away = workspace.blobs.folder.rename(workspace.home / "elsewhere")
    with background_catch_up(workspace):
        time.sleep(0.1)
        assert fingerprint_rows(workspace) == []
        away.rename(workspace.blobs.folder)
        deadline = time.monotonic() + WAIT_SECONDS
        while count_missing(workspace) and time.monotonic() < deadline:
            time.sleep(0.01)
    assert all(row[5] is None for row in fingerprint_rows(workspace))
    assert count_missing(workspace) == 0
