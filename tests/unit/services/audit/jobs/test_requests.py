"""Requests of jobs: refused before they are queued where the record says that they cannot be carried out."""

import pytest
from pydantic import ValidationError

from services.audit.jobs.requests import (
    AuditRequest,
    SliceRequest,
    TrainingRequest,
    queue_audit,
    queue_slice,
    queue_study,
    queue_training,
)
from services.audit.studies.study_config import load_study_config
from shared.errors import ConflictError, InputError, NotFoundError
from shared.records.manifests import seal_manifest
from shared.workspace import Workspace
from tests.support.factories import png, register
from tests.unit.services.audit.tiny_runs import CONFIG


@pytest.fixture
def sealed_workspace(workspace: Workspace) -> Workspace:
    """A workspace with a training manifest and a control."""
    ids = [register(workspace, f"{number}.png", png(number)).id for number in range(4)]
    with workspace.writing() as session:
        seal_manifest(session, "slice", "train", ids[:2])
        seal_manifest(session, "control", "control", ids[2:])
    return workspace


def test_a_training_is_queued_once_a_key(sealed_workspace: Workspace) -> None:
    request = TrainingRequest(name="model-a", manifest="slice", config=CONFIG)
    job = queue_training(sealed_workspace, request, "key")
    assert (job.kind, job.state, job.request["name"]) == ("model.training", "queued", "model-a")
    assert queue_training(sealed_workspace, request, "key").id == job.id
    with pytest.raises(ConflictError):
        queue_training(sealed_workspace, request.model_copy(update={"name": "model-b"}), "key")


def test_a_control_is_not_trained_on(sealed_workspace: Workspace) -> None:
    with pytest.raises(InputError) as refused:
        queue_training(sealed_workspace, TrainingRequest(name="model-a", manifest="control", config=CONFIG), None)
    assert refused.value.code == "manifest_purpose"


def test_an_audit_needs_a_model_and_a_study_its_data_set(sealed_workspace: Workspace) -> None:
    with pytest.raises(NotFoundError) as missing:
        queue_audit(sealed_workspace, AuditRequest(model="none", control="control"), None)
    assert missing.value.code == "model_not_found"
    config = load_study_config("smoke")
    assert queue_study(sealed_workspace, config, None).kind == "study"
    with pytest.raises(NotFoundError):
        queue_study(sealed_workspace, config.model_copy(update={"dataset": "none"}), None)


def test_a_slice_needs_its_data_sets_and_two_names(sealed_workspace: Workspace) -> None:
    request = SliceRequest(name="more", datasets=("works",), size=2, control="more-rest")
    assert queue_slice(sealed_workspace, request, None).kind == "slice.sealing"
    with pytest.raises(NotFoundError, match="nowhere"):
        queue_slice(sealed_workspace, request.model_copy(update={"datasets": ("works", "nowhere")}), None)
    with pytest.raises(ValidationError, match="another name"):
        SliceRequest(name="more", datasets=("works",), size=2, control="more")
