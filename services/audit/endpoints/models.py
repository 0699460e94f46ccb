"""`/v1/models`: models on record, and training as a job."""

from fastapi import APIRouter, Response

from services.audit.endpoints.answers import answer_queued_job
from services.audit.jobs.requests import TrainingRequest, queue_training
from services.audit.models.model_answers import ModelAnswer, ModelSummary, build_model_answer, page_of_models
from shared.auth.access import needs
from shared.http.dependencies import CurrentWorkspace, PageQuery
from shared.http.idempotency import Key
from shared.http.jobs import JobAnswer
from shared.http.paging import Page
from shared.http.problems import PROBLEM_RESPONSES

router = APIRouter(prefix="/v1/models", tags=["models"], responses=PROBLEM_RESPONSES)


@router.get("", dependencies=needs("audits:read"), summary="List models")
def get_models(workspace: CurrentWorkspace, page: PageQuery) -> Page[ModelSummary]:
    """Answer with a page of models, newest first."""
    return page_of_models(workspace, page)


@router.post("", status_code=202, dependencies=needs("audits:run"), summary="Have a model trained")
def create_model(
    workspace: CurrentWorkspace, response: Response, body: TrainingRequest, idempotency_key: Key = None
) -> JobAnswer:
    """Queue a job that trains an unconditional diffusion model on a sealed manifest and logs its weights' digest.

    `Location` names the job. It survives a kill of the server: training goes on from its newest checkpoint. When the job is
    done, its `result` names the model.
    """
    return answer_queued_job(queue_training(workspace, body, idempotency_key), response)


@router.get("/{name}", dependencies=needs("audits:read"), summary="Show one model")
def get_model(workspace: CurrentWorkspace, name: str) -> ModelAnswer:
    """Answer with a model's record: its weights' digest, the manifest that it was trained on, its audits."""
    return build_model_answer(workspace, name)
