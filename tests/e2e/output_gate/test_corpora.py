"""What the gate keeps of a manifest: damaged, it is made again or the check is undecided; while it is built, checks say so."""

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.audit.training_sets.sealed_set import load_sealed_set
from services.output_gate.checks.service import check_generation
from services.output_gate.corpora import Corpora
from services.output_gate.gate import Gate, view_recipe
from services.output_gate.opening import open_gate
from shared.records.models import load_model_record
from shared.vision.view_store import ViewStore
from shared.workspace import Workspace

MODEL = "model-a"


@pytest.fixture
def gate(audited_workspace: Workspace) -> Iterator[Gate]:
    opened = open_gate(audited_workspace, patience_seconds=None)
    yield opened
    opened.close()


def copied(workspace: Workspace) -> bytes:
    return workspace.blobs.load(load_sealed_set(workspace, "small").items[0].blob_sha256)


def told(check: Any) -> tuple[Any, ...]:
    rules = tuple((rule["rule"], rule["verdict"], rule["score"], rule["item"]) for rule in check.result["rules"])
    return check.decision, check.result["score"], check.result["cluster"], rules


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x55
    content[-1] ^= 0x55
    path.write_bytes(bytes(content))


def kept_files(workspace: Workspace) -> list[Path]:
    return sorted(path for path in (workspace.home / "views").iterdir() if path.suffix in {".npy", ".clusters", ".sha256"})


def test_every_damaged_file_is_made_again_between_checks_and_at_a_start(gate: Gate, audited_workspace: Workspace) -> None:
    data = copied(audited_workspace)
    expected = told(check_generation(gate, MODEL, data))
    assert expected[0] == "flag"
    mapped = [file.path for file in gate.load_ready_model(load_model(gate)).corpus.files]
    kinds = {path.stem[33:].rsplit("-", 1)[-1] for path in mapped}
    assert {"codes", "terms"} <= kinds
    assert len(mapped) >= 9
    for path in mapped:
        before = path.stat()
        damage(path)
        # The gate is running: it sees that the file was written to, and makes it again.
        assert path.stat().st_mtime_ns != before.st_mtime_ns
        assert told(check_generation(gate, MODEL, data)) == expected, path.name
    gate.close()
    for path in kept_files(audited_workspace):
        damage(path)
    fresh = open_gate(audited_workspace, patience_seconds=None)
    try:
        assert told(check_generation(fresh, MODEL, data)) == expected
    finally:
        fresh.close()


def load_model(gate: Gate) -> Any:

    with gate.workspace.reading() as session:
        return load_model_record(session, MODEL)


def test_damaged_views_of_a_damaged_blob_make_checks_undecided(gate: Gate, audited_workspace: Workspace) -> None:
    data = copied(audited_workspace)
    assert check_generation(gate, MODEL, data).decision == "flag"
    sealed = load_sealed_set(audited_workspace, "small")
    audited_workspace.blobs.path(sealed.blobs[1]).write_bytes(b"no picture")
    [views, *_] = gate.load_ready_model(load_model(gate)).corpus.files
    damage(views.path)
    check = check_generation(gate, MODEL, data)
    assert check.decision == "undecided"
    assert check.result["reason"] != "internal_error"


def test_a_check_looks_at_stamps_and_reads_no_file_again(
    gate: Gate, audited_workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = copied(audited_workspace)
    check_generation(gate, MODEL, data)

    def fail(*_: Any) -> Any:
        raise AssertionError("a file was read again")

    monkeypatch.setattr("shared.array_store._digest_file", fail)
    monkeypatch.setattr("shared.array_store.digest_rows", fail)
    monkeypatch.setattr("shared.matching.copy_detection.detector.digest_rows", fail)
    assert check_generation(gate, MODEL, data).decision == "flag"


def test_while_a_corpus_is_built_checks_say_so_and_then_decide(
    audited_workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(audited_workspace.home / "views")
    may_go_on = threading.Event()
    build = ViewStore.build_blob_view

    def build_slowly(store: ViewStore, *rest: Any) -> Any:
        assert may_go_on.wait(60)
        return build(store, *rest)

    monkeypatch.setattr(ViewStore, "build_blob_view", build_slowly)
    gate = open_gate(audited_workspace, patience_seconds=0.05)
    data = copied(audited_workspace)
    try:
        undecided = [check_generation(gate, MODEL, data) for _ in range(2)]
        assert [(one.decision, one.result["reason"]) for one in undecided] == [("undecided", "building")] * 2
        # One build, however many ask.
        assert [thread.name for thread in threading.enumerate()].count("load corpus") == 1
        may_go_on.set()
        assert isinstance(gate.corpora, Corpora)
        gate.corpora.patience_seconds = None
        assert gate.corpora.load(load_model(gate).manifest_id, view_recipe(load_model(gate))).manifest.size == 6
        assert check_generation(gate, MODEL, data).decision == "flag"
    finally:
        may_go_on.set()
        gate.close()
