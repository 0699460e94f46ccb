"""`/v1/studies`: studies on record with their files and reports, and a study as a job."""

from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse

from services.audit.endpoints.answers import HTML_ANSWER, JSON_ANSWER, answer_file, answer_queued_job, answer_report
from services.audit.jobs.requests import queue_study
from services.audit.reports.recorded_reports import build_recorded_study_report
from services.audit.studies.recorded_studies import (
    StudySummary,
    load_recorded_study,
    load_study_content,
    load_study_json,
    page_of_studies,
)
from services.audit.studies.study_config import StudyConfig
from shared.auth.access import needs
from shared.http.dependencies import CurrentWorkspace, PageQuery
from shared.http.idempotency import Key
from shared.http.jobs import JobAnswer
from shared.http.paging import Page
from shared.http.problems import PROBLEM_RESPONSES

router = APIRouter(prefix="/v1/studies", tags=["studies"], responses=PROBLEM_RESPONSES)


@router.get("", dependencies=needs("audits:read"), summary="List studies")
def get_studies(workspace: CurrentWorkspace, page: PageQuery) -> Page[StudySummary]:
    """Answer with a page of studies, newest first."""
    return page_of_studies(workspace, page)


@router.post("", status_code=202, dependencies=needs("audits:run"), summary="Have a study run")
def create_study(workspace: CurrentWorkspace, response: Response, body: StudyConfig, idempotency_key: Key = None) -> JobAnswer:
    """Queue a job that trains and audits a model for every slice size, twin and seed, and draws one curve of all.

    `Location` names the job, whose steps are models trained, sampled and audited. It survives a kill of the server: what is
    finished is found again. When it is done, its `result` names the study.
    """
    return answer_queued_job(queue_study(workspace, body, idempotency_key), response)


@router.get("/{study_id}", dependencies=needs("audits:read"), summary="Show one study")
def get_study(workspace: CurrentWorkspace, study_id: str) -> dict[str, Any]:
    """Answer with what stands in a study's `study.json`, checked against the digest in the log."""
    return load_study_content(workspace, load_recorded_study(workspace, study_id))


@router.get(
    "/{study_id}/study.json",
    response_class=Response,
    responses=JSON_ANSWER,
    dependencies=needs("audits:read"),
    summary="Fetch a study's file",
)
def get_study_json(workspace: CurrentWorkspace, study_id: str) -> Response:
    """Answer with the bytes of `study.json`, whose SHA-256 stands in the log."""
    return answer_file(load_study_json(workspace, load_recorded_study(workspace, study_id)))


@router.get(
    "/{study_id}/report",
    response_class=HTMLResponse,
    responses=HTML_ANSWER,
    dependencies=needs("audits:read"),
    summary="Read a study's report",
)
def get_study_report(workspace: CurrentWorkspace, study_id: str) -> HTMLResponse:
    """Answer with the report as one page that loads nothing from elsewhere, with the log's receipts as they are now."""
    return answer_report(build_recorded_study_report(workspace, load_recorded_study(workspace, study_id)))
