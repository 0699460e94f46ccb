"""Answers with files and reports on record, and with jobs: bytes as the log has them, pages that run nothing in a browser."""

from typing import Any

from fastapi import Response
from fastapi.responses import HTMLResponse

from shared.http.jobs import JobAnswer, build_job_answer
from shared.records.jobs import Job

# The page carries its own style, pictures and files to download, runs nothing, and belongs to no other page
# (Content Security Policy Level 3). Receipts are links to `data:`, followed as downloads.
_REPORT_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'; sandbox allow-downloads"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}

HTML_ANSWER: dict[int | str, dict[str, Any]] = {200: {"content": {"text/html": {"schema": {"type": "string"}}}}}
JSON_ANSWER: dict[int | str, dict[str, Any]] = {200: {"content": {"application/json": {"schema": {"type": "object"}}}}}


def answer_file(data: bytes) -> Response:
    """Answer with the bytes of a JSON file."""
    return Response(data, media_type="application/json", headers={"X-Content-Type-Options": "nosniff"})


def answer_report(page: str) -> HTMLResponse:
    """Answer with a report."""
    return HTMLResponse(page, headers=_REPORT_HEADERS)


def answer_queued_job(job: Job, response: Response) -> JobAnswer:
    """Answer with a job, named in the header `Location`."""
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return build_job_answer(job)
