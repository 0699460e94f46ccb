"""`GET /v1/models/{name}` and `GET /v1/audits/{id}`: what was trained on what, and what an audit found."""

from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel

from services.audit.recorded_audits import load_audit, load_audit_content
from shared.problems import PROBLEM_RESPONSES
from shared.records.manifests import load_manifest
from shared.records.models import list_audits, load_model_record
from shared.workspace import Workspace

router = APIRouter(prefix="/v1", tags=["audits"], responses=PROBLEM_RESPONSES)


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


@router.get("/models/{name}", summary="Show one model")
def get_model(request: Request, name: str) -> ModelAnswer:
    """Answer with a model's record: its weights' digest, the manifest that it was trained on, its audits."""
    workspace: Workspace = request.app.state.workspace
    with workspace.reading() as session:
        model = load_model_record(session, name)
        manifest = load_manifest(session, model.manifest_id)
        audits = [audit.id for audit in list_audits(session, model.id)]
    shown = model.model_dump(include=set(ModelAnswer.model_fields) - {"manifest", "audits"})
    return ModelAnswer(
        **shown, manifest=manifest.name, manifest_root=manifest.root, manifest_size=manifest.size, audits=audits
    )


@router.get("/audits/{audit_id}", summary="Show one audit")
def get_audit(request: Request, audit_id: str) -> dict[str, Any]:
    """Answer with an audit's `audit.json`, checked against the digest in the log."""
    workspace: Workspace = request.app.state.workspace
    return load_audit_content(workspace, load_audit(workspace, audit_id))
