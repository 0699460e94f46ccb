"""`/v1/audits`: audits on record with their files and reports, and an audit as a job."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from fastapi.responses import HTMLResponse

from services.audit.audits.recorded_audits import (
    AuditSummary,
    load_audit,
    load_audit_content,
    load_audit_json,
    page_of_audits,
)
from services.audit.endpoints.answers import HTML_ANSWER, JSON_ANSWER, answer_file, answer_queued_job, answer_report
from services.audit.jobs.requests import AuditRequest, queue_audit
from services.audit.reports.recorded_reports import build_recorded_report
from shared.auth.access import needs
from shared.http.dependencies import CurrentWorkspace, PageQuery
from shared.http.idempotency import Key
from shared.http.jobs import JobAnswer
from shared.http.paging import Page
from shared.http.problems import PROBLEM_RESPONSES

router = APIRouter(prefix="/v1/audits", tags=["audits"], responses=PROBLEM_RESPONSES)


@router.get("", dependencies=needs("audits:read"), summary="List audits")
def get_audits(
    workspace: CurrentWorkspace,
    page: PageQuery,
    model: Annotated[str | None, Query(max_length=100, description="Name or id: audits of this model only.")] = None,
) -> Page[AuditSummary]:
    """Answer with a page of audits, newest first."""
    return page_of_audits(workspace, page, model)


@router.post("", status_code=202, dependencies=needs("audits:run"), summary="Have a model audited")
def create_audit(
    workspace: CurrentWorkspace, response: Response, body: AuditRequest, idempotency_key: Key = None
) -> JobAnswer:
    """Queue a job that samples a model, compares its generations and a control with its training set, and logs what it found.

    `Location` names the job. It survives a kill of the server and comes to the same result. When the job is done, its `result`
    names the audit; an audit with the very same figures that is recorded already is named and not logged again.
    """
    return answer_queued_job(queue_audit(workspace, body, idempotency_key), response)


@router.get("/{audit_id}", dependencies=needs("audits:read"), summary="Show one audit")
def get_audit(workspace: CurrentWorkspace, audit_id: str) -> dict[str, Any]:
    """Answer with what stands in an audit's `audit.json`, checked against the digest in the log."""
    return load_audit_content(workspace, load_audit(workspace, audit_id))


@router.get(
    "/{audit_id}/audit.json",
    response_class=Response,
    responses=JSON_ANSWER,
    dependencies=needs("audits:read"),
    summary="Fetch an audit's file",
)
def get_audit_json(workspace: CurrentWorkspace, audit_id: str) -> Response:
    """Answer with the bytes of `audit.json`, whose SHA-256 stands in the log."""
    return answer_file(load_audit_json(workspace, load_audit(workspace, audit_id)))


@router.get(
    "/{audit_id}/report",
    response_class=HTMLResponse,
    responses=HTML_ANSWER,
    dependencies=needs("audits:read"),
    summary="Read an audit's report",
)
def get_audit_report(workspace: CurrentWorkspace, audit_id: str) -> HTMLResponse:
    """Answer with the report as one page that loads nothing from elsewhere, with the log's receipts as they are now."""
    return answer_report(build_recorded_report(workspace, load_audit(workspace, audit_id)))
