"""`/v1/models`: models on record, and training as a job."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from services.audit.jobs.requests import TRAINING, TrainingRequest, verify_training
from shared.auth.access import needs
from shared.clock import format_moment
from shared.http.idempotency import Key
from shared.http.jobs import JobAnswer, build_job_answer, queue_job_once
from shared.http.paging import Page, decode_cursor, encode_cursor
from shared.http.problems import PROBLEM_RESPONSES
from shared.records.manifests import Manifest, load_manifest
from shared.records.models import Model, list_audits, list_models, load_model_record
from shared.workspace import Workspace

router = APIRouter(prefix="/v1/models", tags=["models"], responses=PROBLEM_RESPONSES)


class ModelSummary(BaseModel):
    """A model in a list."""

    id: str
    name: str
    origin: str = Field(description="`trained` here, or imported.")
    weights_sha256: str
    config_sha256: str
    resolution_px: int
    channels: int
    updates: int | None
    seed: int | None
    manifest: str = Field(description="Name of the manifest that it was trained on.")
    created_at: str


class ModelAnswer(BaseModel):
    """A model as recorded."""

    id: str
    name: str
    origin: str
    weights_sha256: str
    config_sha256: str
    resolution_px: int
    channels: int
    updates: int | None
    seed: int | None
    manifest: str
    manifest_root: str
    manifest_size: int
    audits: list[str]


@router.get("", dependencies=needs("audits:read"), summary="List models")
def get_models(
    request: Request,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> Page[ModelSummary]:
    """Answer with a page of models, newest first."""
    workspace: Workspace = request.app.state.workspace
    before = decode_cursor(cursor) if cursor else None
    with workspace.reading() as session:
        found = list_models(session, before, limit + 1)
    shown = [_summarise(model, manifest_name) for model, manifest_name in found[:limit]]
    return Page(items=shown, next_cursor=encode_cursor(shown[-1].id) if len(found) > limit else None)


@router.post("", status_code=202, dependencies=needs("audits:run"), summary="Have a model trained")
def create_model(request: Request, response: Response, body: TrainingRequest, idempotency_key: Key = None) -> JobAnswer:
    """Queue a job that trains an unconditional diffusion model on a sealed manifest and logs its weights' digest.

    `Location` names the job. It survives a kill of the server: training goes on from its newest checkpoint. When the job is
    done, its `result` names the model.
    """
    workspace: Workspace = request.app.state.workspace
    with workspace.reading() as session:
        verify_training(session, body)
    job = queue_job_once(workspace, TRAINING, body.model_dump(mode="json"), idempotency_key)
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return build_job_answer(job)


@router.get("/{name}", dependencies=needs("audits:read"), summary="Show one model")
def get_model(request: Request, name: str) -> ModelAnswer:
    """Answer with a model's record: its weights' digest, the manifest that it was trained on, its audits."""
    workspace: Workspace = request.app.state.workspace
    with workspace.reading() as session:
        model = load_model_record(session, name)
        manifest = load_manifest(session, model.manifest_id)
        audits = [audit.id for audit in list_audits(session, model.id)]
    return _build_answer(model, manifest, audits)


def _build_answer(model: Model, manifest: Manifest, audits: list[str]) -> ModelAnswer:
    shown = model.model_dump(include=set(ModelAnswer.model_fields) - {"manifest", "audits"})
    return ModelAnswer(
        **shown, manifest=manifest.name, manifest_root=manifest.root, manifest_size=manifest.size, audits=audits
    )


def _summarise(model: Model, manifest_name: str) -> ModelSummary:
    shown = model.model_dump(include=set(ModelSummary.model_fields) - {"manifest", "created_at"})
    return ModelSummary(**shown, manifest=manifest_name, created_at=format_moment(model.created_at))
