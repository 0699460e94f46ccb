"""`/v1/studies`: studies on record with their files and reports, and a study as a job."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse

from services.audit.endpoints.recorded_answers import HTML_ANSWER, JSON_ANSWER, answer_file, answer_report
from services.audit.jobs.requests import STUDY, verify_study
from services.audit.reports.recorded_reports import build_recorded_study_report
from services.audit.studies.recorded_studies import StudySummary, load_study_content, load_study_json, page_of_studies
from services.audit.studies.study_config import StudyConfig
from shared.auth.access import needs
from shared.http.idempotency import Key
from shared.http.jobs import JobAnswer, build_job_answer, queue_job_once
from shared.http.paging import Page
from shared.http.problems import PROBLEM_RESPONSES
from shared.records.studies import Study, load_study
from shared.workspace import Workspace

router = APIRouter(prefix="/v1/studies", tags=["studies"], responses=PROBLEM_RESPONSES)


@router.get("", dependencies=needs("audits:read"), summary="List studies")
def get_studies(
    request: Request,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> Page[StudySummary]:
    """Answer with a page of studies, newest first."""
    workspace: Workspace = request.app.state.workspace
    return page_of_studies(workspace, cursor, limit)


@router.post("", status_code=202, dependencies=needs("audits:run"), summary="Have a study run")
def create_study(request: Request, response: Response, body: StudyConfig, idempotency_key: Key = None) -> JobAnswer:
    """Queue a job that trains and audits a model for every slice size, twin and seed, and draws one curve of all.

    `Location` names the job, whose steps are models trained, sampled and audited. It survives a kill of the server: what is
    finished is found again. When it is done, its `result` names the study.
    """
    workspace: Workspace = request.app.state.workspace
    with workspace.reading() as session:
        verify_study(session, body)
    job = queue_job_once(workspace, STUDY, body.model_dump(mode="json"), idempotency_key)
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return build_job_answer(job)


@router.get("/{study_id}", dependencies=needs("audits:read"), summary="Show one study")
def get_study(request: Request, study_id: str) -> dict[str, Any]:
    """Answer with what stands in a study's `study.json`, checked against the digest in the log."""
    workspace, study = _find_recorded(request, study_id)
    return load_study_content(workspace, study)


@router.get(
    "/{study_id}/study.json",
    response_class=Response,
    responses=JSON_ANSWER,
    dependencies=needs("audits:read"),
    summary="Fetch a study's file",
)
def get_study_json(request: Request, study_id: str) -> Response:
    """Answer with the bytes of `study.json`, whose SHA-256 stands in the log."""
    workspace, study = _find_recorded(request, study_id)
    return answer_file(load_study_json(workspace, study))


@router.get(
    "/{study_id}/report",
    response_class=HTMLResponse,
    responses=HTML_ANSWER,
    dependencies=needs("audits:read"),
    summary="Read a study's report",
)
def get_study_report(request: Request, study_id: str) -> HTMLResponse:
    """Answer with the report as one page that loads nothing from elsewhere, with the log's receipts as they are now."""
    workspace, study = _find_recorded(request, study_id)
    return answer_report(build_recorded_study_report(workspace, study))


def _find_recorded(request: Request, study_id: str) -> tuple[Workspace, Study]:
    workspace: Workspace = request.app.state.workspace
    with workspace.reading() as session:
        return workspace, load_study(session, study_id)
