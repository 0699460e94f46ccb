"""Archival links over REST: one item's Robust Link, all states, and checks and captures as jobs."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import HTMLResponse

from services.ingest.archive.jobs import CAPTURE, VERIFICATION, ArchiveRequest
from services.ingest.archive.states import ArchivalLinkAnswer, ArchiveStates, build_link_answer, count_states
from services.ingest.items.access import NEEDS_VISIBILITY
from shared.auth.access import needs
from shared.http.conditional import ConditionalRoute
from shared.http.dependencies import CurrentWorkspace
from shared.http.idempotency import Key
from shared.http.jobs import JobAnswer, build_job_answer, queue_job_once
from shared.http.problems import PROBLEM_RESPONSES
from shared.records.items import load_item
from shared.workspace import Workspace

router = APIRouter(prefix="/v1", tags=["archive"], responses=PROBLEM_RESPONSES, route_class=ConditionalRoute)


_HTML: dict[int | str, dict[str, Any]] = {200: {"content": {"text/html": {"schema": {"type": "string"}}}}}


@router.get(
    "/items/{item_id}/archival-link",
    response_model=ArchivalLinkAnswer,
    responses=_HTML,
    dependencies=NEEDS_VISIBILITY,
    summary="Show an item's Robust Link",
)
def get_archival_link(
    workspace: CurrentWorkspace, item_id: str, accept: Annotated[str, Header(max_length=500)] = "application/json"
) -> ArchivalLinkAnswer | Response:
    """Answer with where the item was found, where a snapshot of that place is, of which day, and what the last check found.

    Where `Accept` names `text/html` first, the answer is the HTML element alone.
    """
    with workspace.reading() as session:
        answer = build_link_answer(load_item(session, item_id))
    if accept.strip().startswith("text/html"):
        return HTMLResponse(answer.html, headers={"Vary": "Accept"})
    return answer


@router.get("/archive/states", dependencies=needs("items:read"), summary="Count archival links by state")
def get_archive_states(
    workspace: CurrentWorkspace, dataset: Annotated[str | None, Query(max_length=2000)] = None
) -> ArchiveStates:
    """Answer with how many active items have a link in each state, and how many have none."""
    with workspace.reading() as session:
        return count_states(session, dataset)


@router.post(
    "/archive/verifications", status_code=202, dependencies=needs("items:write"), summary="Have archival links checked"
)
def create_verification(
    workspace: CurrentWorkspace, response: Response, body: ArchiveRequest, idempotency_key: Key = None
) -> JobAnswer:
    """Queue a job that fetches originals and snapshots and compares their bytes with those acquired; `Location` names it."""
    return _queue(workspace, response, VERIFICATION, body, idempotency_key)


@router.post("/archive/captures", status_code=202, dependencies=needs("items:write"), summary="Have originals captured")
def create_capture(
    workspace: CurrentWorkspace, response: Response, body: ArchiveRequest, idempotency_key: Key = None
) -> JobAnswer:
    """Queue a job that keeps what originals answer in web archives (WARC), and checks the links by it; `Location` names it."""
    return _queue(workspace, response, CAPTURE, body, idempotency_key)


def _queue(workspace: Workspace, response: Response, kind: str, body: ArchiveRequest, key: str | None) -> JobAnswer:
    job = queue_job_once(workspace, kind, body.model_dump(mode="json"), key)
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return build_job_answer(job)
