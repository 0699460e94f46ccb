"""`/v1/slices`: a slice of data sets and its control, drawn and sealed as a job, and the near copies that were left out."""

from typing import Any

from fastapi import APIRouter, Response

from services.audit.endpoints.answers import answer_queued_job
from services.audit.jobs.requests import SliceRequest, queue_slice
from services.audit.sealing.left_out import load_left_out
from shared.auth.access import needs
from shared.http.dependencies import CurrentWorkspace
from shared.http.idempotency import Key
from shared.http.jobs import JobAnswer
from shared.http.problems import PROBLEM_RESPONSES

router = APIRouter(prefix="/v1/slices", tags=["manifests"], responses=PROBLEM_RESPONSES)

_CSV: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}}


@router.post("", status_code=202, dependencies=needs("manifests:write"), summary="Have a slice and its control sealed")
def create_slice(
    workspace: CurrentWorkspace, response: Response, body: SliceRequest, idempotency_key: Key = None
) -> JobAnswer:
    """Queue a job that draws a slice of data sets and seals it, and the rest as control, if one is named.

    `Location` names the job. When it is done, its `result` has the ids of `manifest` and `control`. Where near copies were to
    be left out, `counts.near_copies` says how many were, and `result.near_copies` is the path of the CSV that lists them.
    """
    return answer_queued_job(queue_slice(workspace, body, idempotency_key), response)


@router.get(
    "/{name}/near-copies",
    response_class=Response,
    responses=_CSV,
    dependencies=needs("items:read"),
    summary="Fetch which near copies were left out of a slice",
)
def get_near_copies(workspace: CurrentWorkspace, name: str) -> Response:
    """Answer with a line for each picture that was left out, with the picture that it is alike to and that stays."""
    return Response(load_left_out(workspace, name), media_type="text/csv", headers={"X-Content-Type-Options": "nosniff"})
