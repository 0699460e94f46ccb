"""Errors over HTTP: each becomes an answer in problem+json (RFC 9457)."""

from collections.abc import Mapping
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DataError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException
from starlette.routing import Match
from structlog.contextvars import get_contextvars

from shared.db import describe_failure
from shared.errors import SleeveError, UnavailableError
from shared.http.problem_details import MEDIA_TYPE, Problem, status_of
from shared.schemas import describe_field_errors

# RFC 9110 section 9.3, RFC 5789; what a route may be for.
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")

log = structlog.get_logger()


def describe_response(title: str) -> dict[str, Any]:
    """Describe an error answer of a route for OpenAPI."""
    return {"model": Problem, "content": {MEDIA_TYPE: {}}, "description": title}


PROBLEM_RESPONSES: dict[int | str, dict[str, Any]] = {
    404: describe_response("Not found"),
    409: describe_response("Conflict"),
    413: describe_response("The request is larger than this server takes"),
    422: describe_response("Unusable input"),
    503: describe_response("A dependency is unavailable"),
}
# Of changes that take `If-Match`.
CONDITION_FAILED: dict[int | str, dict[str, Any]] = {412: describe_response("The thing is no longer what `If-Match` names")}


# Of routes that read their body themselves.
UNSUPPORTED_MEDIA_TYPE: dict[int | str, dict[str, Any]] = {415: describe_response("Another media type")}


def build_problem(status: int, code: str, detail: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Build an error answer."""
    title = code.replace("_", " ").capitalize()
    request_id = get_contextvars().get("request_id")
    body = Problem(title=title, status=status, code=code, detail=detail, request_id=request_id)
    return JSONResponse(body.model_dump(), status_code=status, media_type=MEDIA_TYPE, headers=headers)


def add_problem_handlers(app: FastAPI) -> None:
    """Make every error of an app a problem+json answer."""

    @app.exception_handler(SleeveError)
    def on_sleeve_error(_request: Request, error: SleeveError) -> JSONResponse:
        return build_problem(status_of(error), error.code, error.message)

    @app.exception_handler(IntegrityError)
    def on_lost_race(_request: Request, _error: IntegrityError) -> JSONResponse:
        detail = "another request changed the same thing at the same moment; look again and repeat what is still wanted"
        return build_problem(409, "concurrent_change", detail)

    @app.exception_handler(OperationalError)
    @app.exception_handler(PoolTimeoutError)
    def on_failing_database(_request: Request, error: OperationalError | PoolTimeoutError) -> JSONResponse:
        log.warning("database_failed", error=str(error.orig if isinstance(error, OperationalError) else error))
        return build_problem(503, UnavailableError.code, describe_failure(error))

    @app.exception_handler(OSError)
    def on_failing_disk(_request: Request, error: OSError) -> JSONResponse:
        log.warning("disk_failed", error=str(error))
        return build_problem(503, UnavailableError.code, f"a file could not be read or written: {error.strerror}")

    @app.exception_handler(Exception)
    def on_unexpected_error(_request: Request, _error: Exception) -> JSONResponse:
        # Raised again by Starlette once it is answered, so that the server's log has it.
        return build_problem(500, "internal_error", "the server failed; its log says why")

    @app.exception_handler(DataError)
    def on_unstorable_value(_request: Request, _error: DataError) -> JSONResponse:
        return build_problem(422, "value_unstorable", "a value is none that the database can hold, such as a zero character")

    @app.exception_handler(RequestValidationError)
    def on_invalid_request(_request: Request, error: RequestValidationError) -> JSONResponse:
        return build_problem(422, "invalid_request", describe_field_errors(error))

    @app.exception_handler(HTTPException)
    def on_http_error(request: Request, error: HTTPException) -> JSONResponse:
        if error.status_code == 400:  # a form that cannot be read is unusable input, like any other
            return build_problem(422, "invalid_request", str(error.detail))
        if error.status_code == 405:
            headers = {"Allow": _allowed_methods(app, request)}
            return build_problem(405, "http_405", f"expected {headers['Allow']}, got {request.method[:100]}", headers)
        # 413 may close the connection.
        return build_problem(error.status_code, f"http_{error.status_code}", str(error.detail), error.headers)


def _allowed_methods(app: FastAPI, request: Request) -> str:
    # The router names the methods of the first route of a path alone, and all are allowed (RFC 9110 section 10.2.1). A path
    # that is described by its own name is no name within another one: `/v1/items/batch` is no item.
    described = app.openapi()["paths"].get(request.url.path)
    if described is not None:
        return ", ".join(method for method in METHODS if method.lower() in described)
    matches = {
        method: any(route.matches(dict(request.scope) | {"method": method})[0] is Match.FULL for route in app.routes)
        for method in METHODS
    }
    return ", ".join(method for method, is_allowed in matches.items() if is_allowed)
