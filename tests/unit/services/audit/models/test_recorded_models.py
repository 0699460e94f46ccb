"""The record of a model: one model a name, training manifests only, and controls that share nothing."""

from typing import Any

import pytest

from services.audit.models.model_answers import build_model_answer, page_of_models
from services.audit.models.recorded_models import find_same_model, record_model, verify_disjoint, verify_for_training
from shared.errors import ConflictError, InputError, NotFoundError
from shared.http.paging import PageRequest
from shared.ledger.verify import verify_log
from shared.records.manifests import Manifest, seal_manifest
from shared.workspace import Workspace
from tests.support.factories import png, register

MODEL: dict[str, Any] = {
    "weights_sha256": "11" * 32,
    "config_sha256": "22" * 32,
    "config": {"train_batch_size": 4},
    "resolution_px": 16,
    "channels": 3,
}


@pytest.fixture
def manifests(workspace: Workspace) -> tuple[Manifest, Manifest]:
    ids = [register(workspace, f"{number}.png", png(number)).id for number in range(4)]
    with workspace.writing() as session:
        return seal_manifest(session, "slice", "train", ids[:3]), seal_manifest(session, "control", "control", ids[2:])


def test_a_model_is_listed_with_its_manifest_and_is_in_the_log(
    workspace: Workspace, manifests: tuple[Manifest, Manifest]
) -> None:
    with workspace.writing() as session:
        for name in ("model-a", "model-b"):
            record_model(session, manifests[0], name=name, origin="imported", **MODEL)
    workspace.log.integrate()
    verify_log(workspace.log.folder, workspace.log.vkey)
    first = page_of_models(workspace, PageRequest(limit=1))
    second = page_of_models(workspace, PageRequest(first.next_cursor, 1))
    assert [summary.name for summary in (*first.items, *second.items)] == ["model-b", "model-a"]
    assert second.next_cursor is None
    answer = build_model_answer(workspace, "model-a")
    assert (answer.manifest, answer.manifest_size, answer.audits) == ("slice", 3, [])
    with pytest.raises(NotFoundError):
        build_model_answer(workspace, "model-c")


def test_a_name_stands_for_one_model(workspace: Workspace, manifests: tuple[Manifest, Manifest]) -> None:
    with workspace.writing() as session:
        assert find_same_model(session, "model-a", manifests[0], MODEL["config_sha256"]) is None
        model = record_model(session, manifests[0], name="model-a", origin="trained", updates=6, seed=0, **MODEL)
        assert find_same_model(session, "model-a", manifests[0], MODEL["config_sha256"]) == model
        with pytest.raises(ConflictError):
            find_same_model(session, "model-a", manifests[0], "33" * 32)


def test_a_control_is_no_training_set_and_shares_nothing_with_one(
    workspace: Workspace, manifests: tuple[Manifest, Manifest]
) -> None:
    training, control = manifests
    verify_for_training(training)
    with pytest.raises(InputError, match="sealed for control"):
        verify_for_training(control)
    with workspace.reading() as session, pytest.raises(InputError) as refused:
        verify_disjoint(session, training, control)
    assert refused.value.code == "control_overlaps"
