"""Each thing that the gate depends on stopped or damaged in turn: 503 or undecided with a reason, and never clear.

Every case asks about a picture that is clear while everything works.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from sqlalchemy.exc import OperationalError
from sqlmodel import select

from services.audit.training_sets.sealed_set import load_sealed_set
from services.output_gate import corpora
from services.output_gate.gate import Gate
from services.output_gate.opening import open_gate
from services.server.app import create_app
from shared.errors import CorruptStateError, UnavailableError
from shared.ledger.keyfile import load_or_create_signer
from shared.ledger.log import Log
from shared.ledger.verify import verify_log
from shared.records.checks import Check
from shared.records.models import Calibration
from shared.records.policies import Policy
from shared.workspace import Workspace
from tests.support.factories import png
from tests.support.gate_client import post_checks, training_original

CLEAR = png(12_345)
Break = Callable[[Gate, pytest.MonkeyPatch], None]


def lose_index(gate: Gate, _patch: pytest.MonkeyPatch) -> None:
    gate.index.close()


def fall_behind(gate: Gate, patch: pytest.MonkeyPatch) -> None:
    # Nothing fills it again: as while a large backlog is being taken in.
    gate.index.clear()
    patch.setattr(gate.indexer, "catch_up", lambda *_: 0)


def lose_vectors(gate: Gate, patch: pytest.MonkeyPatch) -> None:
    # Not repaired yet: another process is at it.
    patch.setattr(gate.indexer, "repair", lambda *_: 0)
    gate.index.remove([load_sealed_set(gate.workspace, "small").items[0].id])


def fail_to_embed(gate: Gate, patch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> Any:
        raise RuntimeError("out of memory")

    patch.setattr(gate.embedder, "embed", fail)


def embed_nonsense(gate: Gate, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(gate.embedder, "embed", lambda images: np.full((len(images), gate.embedder.dimensions), np.nan, np.float32))


def search_too_little(gate: Gate, patch: pytest.MonkeyPatch) -> None:
    # As for a manifest that is too large to be scanned, where the index is asked.
    patch.setattr(corpora, "is_searched_exactly", lambda _: False)
    patch.setattr(gate.index, "neighbours_many", lambda vectors, *_, **__: [[] for _ in vectors])


def damage_views(gate: Gate) -> None:
    for path in (gate.workspace.home / "views").rglob("*"):
        if path.is_file() and path.suffix != ".lock":
            data = bytearray(path.read_bytes())
            data[len(data) // 2] ^= 1
            path.write_bytes(data)


def damage_views_and_blob(gate: Gate, _patch: pytest.MonkeyPatch) -> None:
    damage_views(gate)
    gate.workspace.blobs.path(load_sealed_set(gate.workspace, "small").items[1].blob_sha256).write_bytes(b"damaged")


def lose_views_and_blob(gate: Gate, _patch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(gate.workspace.home / "views")
    gate.workspace.blobs.path(load_sealed_set(gate.workspace, "small").items[1].blob_sha256).unlink()


def change_calibration(gate: Gate, _patch: pytest.MonkeyPatch) -> None:
    with gate.workspace.writing() as session:
        for calibration in session.exec(select(Calibration)).all():
            calibration.scores = {rule: [value + 1 for value in values] for rule, values in calibration.scores.items()}


CASES: dict[str, tuple[Break, set[str]]] = {
    "index closed": (lose_index, {"index_failed"}),
    "index cleared and behind": (fall_behind, {"index_behind"}),
    "a vector missing": (lose_vectors, {"index_behind"}),
    "embedder fails": (fail_to_embed, {"internal_error"}),
    "embedder gives no numbers": (embed_nonsense, {"index_vector_length"}),
    "search finds nothing": (search_too_little, {"search_short"}),
    "view files and a blob damaged": (damage_views_and_blob, {"blob_damaged"}),
    "blob missing": (lose_views_and_blob, {"blob_not_found"}),
    "calibration changed": (change_calibration, {"calibration_damaged"}),
}


@pytest.fixture
def gate(audited_workspace: Workspace) -> Iterator[Gate]:
    opened = open_gate(audited_workspace)
    yield opened
    with suppress(Exception):  # the case may have closed it
        opened.close()


def ask(gate: Gate) -> Any:
    # Without the server's threads: what is broken stays broken, and each check finds out for itself.
    client = TestClient(create_app(gate.workspace, gate), base_url="http://127.0.0.1", raise_server_exceptions=False)
    return post_checks(client, [CLEAR])


@pytest.mark.parametrize("case", CASES)
def test_what_is_missing_or_damaged_makes_it_undecided(gate: Gate, case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    broken, codes = CASES[case]
    gate.indexer.catch_up()
    broken(gate, monkeypatch)
    answer = ask(gate)
    assert answer.status_code == 201, answer.text
    body = answer.json()
    assert (body["decision"], body["reason"] in codes, body["match"]) == ("undecided", True, None), body["reason"]
    gate.workspace.log.integrate()
    verify_log(gate.workspace.log.folder, gate.workspace.log.vkey)


def test_everything_works_in_the_case_that_is_broken_above(gate: Gate) -> None:
    assert ask(gate).json()["decision"] == "clear"


def test_damaged_views_are_made_again_from_the_bytes(gate: Gate) -> None:
    copied = training_original(gate.workspace)
    damage_views(gate)
    client = TestClient(create_app(gate.workspace, gate), base_url="http://127.0.0.1")
    body = post_checks(client, [copied]).json()
    assert (body["decision"], body["metrics"]["identical"]) == ("flag", True)


def nothing_recorded(workspace: Workspace) -> bool:
    with workspace.reading() as session:
        return session.exec(select(Check)).first() is None


def test_a_database_that_is_gone_is_503(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    gate.indexer.catch_up()

    def gone(*_: Any, **__: Any) -> Any:
        raise OperationalError("SELECT 1", {}, Exception("the server closed the connection"))

    with monkeypatch.context() as patch:
        patch.setattr(gate.workspace.engine, "raw_connection", gone)
        patch.setattr(gate.workspace.engine.pool, "connect", gone)
        answer = ask(gate)
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert nothing_recorded(gate.workspace)


def test_a_policy_that_was_changed_behind_the_log_opens_no_gate(gate: Gate) -> None:
    with gate.workspace.writing() as session:
        for policy in session.exec(select(Policy)).all():
            policy.content = {**policy.content, "false_positive_rate": 0.4}
    gate.close()
    with pytest.raises(CorruptStateError, match="policy"):
        open_gate(gate.workspace)


def test_a_log_with_another_key_gives_no_answer(gate: Gate, tmp_path: Path) -> None:
    workspace = gate.workspace
    signer = load_or_create_signer(tmp_path / "other.pem", workspace.settings.log_origin)
    log = Log(workspace.engine, workspace.log.folder, signer)
    gate.indexer.catch_up()
    gate.workspace = Workspace(workspace.settings, workspace.engine, workspace.blobs, log)
    answer = ask(gate)
    assert answer.status_code >= 400, answer.text


def test_a_full_disk_is_no_clear_answer(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    gate.indexer.catch_up()

    def full(*_: Any, **__: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(gate.workspace.blobs, "save_many", full)
    answer = ask(gate)
    assert (answer.status_code, answer.json()["code"]) == (503, "blobs_unwritable")
    assert nothing_recorded(gate.workspace)


def test_an_index_server_that_does_not_answer_is_an_error_of_its_own(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    def down(*_: Any) -> Any:
        raise UnavailableError("the Qdrant server does not answer", code="index_down")

    gate.indexer.catch_up()
    monkeypatch.setattr(gate.index, "count", down)
    assert ask(gate).json()["reason"] == "index_down"
