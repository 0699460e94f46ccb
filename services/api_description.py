"""What the OpenAPI description says beyond what the routes say by themselves.

Rules, in order:

1. An operation is named as the function that answers it; the name is stable and clients are generated from it.
2. Every error answer is `application/problem+json`, with an example.
3. A GET that is answered 304 takes `If-None-Match` and gives an `ETag`.
4. Every operation has an example of what it takes and of what it answers; a test holds each against its schema.
"""

from typing import Any

from fastapi import FastAPI

from services.api_examples import EXAMPLES
from shared.problems import MEDIA_TYPE

_PROBLEM = {"$ref": "#/components/schemas/Problem"}
# A code of each status as the services give it.
_CODES = {
    404: ("item_not_found", "no item '0198c0de-0000-7000-8000-000000000000'"),
    409: ("item_withdrawn", "item 0198c0de-0000-7000-8000-000000000000 is withdrawn; expected an active one"),
    412: ("precondition_failed", 'expected If-Match "9f86d081…", got "2c26b46b…"'),
    413: ("request_too_large", "expected at most 20,971,520 bytes, got more"),
    415: ("media_type_unsupported", "expected application/jsonl, got text/plain"),
    422: ("invalid_request", "body.reason: Field required"),
    503: ("unavailable", "database does not answer"),
}
_IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "schema": {"type": "string"},
    "description": "`ETag` of an answer that the client has; 304 where it is still the present one.",
}
_ETAG = {"description": "Strong entity tag of the answer (RFC 9110).", "schema": {"type": "string"}}


def describe_api(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI description of an app, built on the first call."""
    if app.openapi_schema is None:
        described = FastAPI.openapi(app)
        for path in described["paths"].values():
            for operation in path.values():
                _add_problems(operation)
                _add_conditions(operation)
                _add_examples(operation)
        app.openapi_schema = described
    return app.openapi_schema


def _add_problems(operation: dict[str, Any]) -> None:
    for status, response in operation["responses"].items():
        if int(status) in _CODES:
            code, detail = _CODES[int(status)]
            problem = {"type": "about:blank", "title": code.replace("_", " ").capitalize(), "status": int(status)}
            example = problem | {"code": code, "detail": detail}
            response["content"] = {MEDIA_TYPE: {"schema": _PROBLEM, "example": example}}


def _add_conditions(operation: dict[str, Any]) -> None:
    if "304" in operation["responses"]:
        operation.setdefault("parameters", []).append(_IF_NONE_MATCH)
        operation["responses"]["200"].setdefault("headers", {})["ETag"] = _ETAG


def _add_examples(operation: dict[str, Any]) -> None:
    example = EXAMPLES.get(operation["operationId"])
    if example is None:
        return
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        content["example"] = example.request_forms.get(media_type, example.request)
    for status, response in operation["responses"].items():
        if status.startswith("2"):
            for media_type, content in response.get("content", {}).items():
                other = example.other_answers.get(status, example.answer)
                content["example"] = example.other_forms.get(media_type, other)
