"""`/v1/audits`: audits on record with their files and reports, and an audit as a job."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse

from services.audit.audits.recorded_audits import (
    AuditSummary,
    load_audit,
    load_audit_content,
    load_audit_json,
    page_of_audits,
)
from services.audit.endpoints.recorded_answers import HTML_ANSWER, JSON_ANSWER, answer_file, answer_report
from services.audit.jobs.requests import AUDIT, AuditRequest, verify_audit
from services.audit.reports.recorded_reports import build_recorded_report
from shared.auth.access import needs
from shared.http.idempotency import Key
from shared.http.jobs import JobAnswer, build_job_answer, queue_job_once
from shared.http.paging import Page
from shared.http.problems import PROBLEM_RESPONSES
from shared.workspace import Workspace

router = APIRouter(prefix="/v1/audits", tags=["audits"], responses=PROBLEM_RESPONSES)


@router.get("", dependencies=needs("audits:read"), summary="List audits")
def get_audits(
    request: Request,
    model: Annotated[str | None, Query(max_length=100, description="Name or id: audits of this model only.")] = None,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> Page[AuditSummary]:
    """Answer with a page of audits, newest first."""
    workspace: Workspace = request.app.state.workspace
    return page_of_audits(workspace, cursor, limit, model)


@router.post("", status_code=202, dependencies=needs("audits:run"), summary="Have a model audited")
def create_audit(request: Request, response: Response, body: AuditRequest, idempotency_key: Key = None) -> JobAnswer:
    """Queue a job that samples a model, compares its generations and a control with its training set, and logs what it found.

    `Location` names the job. It survives a kill of the server and comes to the same result. When the job is done, its `result`
    names the audit; an audit with the very same figures that is recorded already is named and not logged again.
    """
    workspace: Workspace = request.app.state.workspace
    with workspace.reading() as session:
        verify_audit(session, body)
    job = queue_job_once(workspace, AUDIT, body.model_dump(mode="json"), idempotency_key)
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return build_job_answer(job)


@router.get("/{audit_id}", dependencies=needs("audits:read"), summary="Show one audit")
def get_audit(request: Request, audit_id: str) -> dict[str, Any]:
    """Answer with what stands in an audit's `audit.json`, checked against the digest in the log."""
    workspace: Workspace = request.app.state.workspace
    return load_audit_content(workspace, load_audit(workspace, audit_id))


@router.get(
    "/{audit_id}/audit.json",
    response_class=Response,
    responses=JSON_ANSWER,
    dependencies=needs("audits:read"),
    summary="Fetch an audit's file",
)
def get_audit_json(request: Request, audit_id: str) -> Response:
    """Answer with the bytes of `audit.json`, whose SHA-256 stands in the log."""
    workspace: Workspace = request.app.state.workspace
    return answer_file(load_audit_json(workspace, load_audit(workspace, audit_id)))


@router.get(
    "/{audit_id}/report",
    response_class=HTMLResponse,
    responses=HTML_ANSWER,
    dependencies=needs("audits:read"),
    summary="Read an audit's report",
)
def get_audit_report(request: Request, audit_id: str) -> HTMLResponse:
    """Answer with the report as one page that loads nothing from elsewhere, with the log's receipts as they are now."""
    workspace: Workspace = request.app.state.workspace
    return answer_report(build_recorded_report(workspace, load_audit(workspace, audit_id)))
