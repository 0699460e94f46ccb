"""What the OpenAPI description says beyond what the routes say by themselves.

Rules, in order:

1. An operation has the name of the function that answers it. The name is stable: clients are generated from it.
2. Every error answer is `application/problem+json`, with an example.
3. A GET that may answer 304 takes `If-None-Match` and gives an `ETag`.
4. An operation that needs a key names the scopes that open it, one of them enough. 401, 403 and 429 say how it is refused.
   A server that needs no keys describes none of this.
5. Bodies that a route reads by itself are named schemas, and files are binary: clients are generated from both.
6. Every operation has an example of its request and of its answer. A test checks each against its schema.
"""

from copy import deepcopy
from typing import Any

from fastapi import FastAPI

from services.api.examples import EXAMPLES
from shared.auth.access import Access, declared_routes
from shared.auth.key_text import PATTERN
from shared.auth.scopes import MEANING
from shared.http.problem_details import MEDIA_TYPE

_PROBLEM = {"$ref": "#/components/schemas/Problem"}
# A code of each status as the services give it.
_CODES = {
    401: ("key_missing", "expected Authorization: Bearer with a key"),
    403: ("scope_missing", "expected a key with the scope items:write"),
    404: ("item_not_found", "no item '0198c0de-0000-7000-8000-000000000000'"),
    409: ("item_withdrawn", "item 0198c0de-0000-7000-8000-000000000000 is withdrawn; expected an active one"),
    412: ("precondition_failed", 'expected If-Match "9f86d081…", got "2c26b46b…"'),
    413: ("request_too_large", "expected at most 20,971,520 bytes, got more"),
    415: ("media_type_unsupported", "expected application/jsonl, got text/plain"),
    422: ("invalid_request", "body.reason: Field required"),
    429: ("too_many_failures", "too many keys that do not count came from this address; expected the next one in 42 s"),
    503: ("unavailable", "database does not answer"),
}
SCHEME = "key"
_REFUSED = {
    401: ("No key, or one that does not count", {"WWW-Authenticate": "The scheme, Bearer, and what is wrong (RFC 6750)."}),
    403: ("The key has none of the scopes, or may not do this", {}),
    429: (
        "Too many requests, or too many keys that did not count",
        {"Retry-After": "In how many seconds to try again."},
    ),
}
_IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "schema": {"type": "string"},
    "description": "`ETag` of an answer that the client has; 304 where it is still the present one.",
}
_ETAG = {"description": "Strong entity tag of the answer (RFC 9110).", "schema": {"type": "string"}}


def describe_api(app: FastAPI, *, with_keys: bool = True) -> dict[str, Any]:
    """Return the OpenAPI description of an app, built on the first call.

    Args:
        app: whose routes.
        with_keys: whether it asks for keys.
    """
    if app.openapi_schema is None:
        document = FastAPI.openapi(app)
        _mark_files(document)
        access_of = {(route.path, method): route.access for route in declared_routes(app) for method in route.methods or ()}
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                if with_keys:
                    _add_security(operation, access_of[path, method.upper()])
                _add_problems(operation)
                _add_conditions(operation)
                _add_examples(operation)
                _name_bodies(operation, document["components"]["schemas"])
        if with_keys:
            document["components"]["securitySchemes"] = {SCHEME: _describe_scheme()}
        app.openapi_schema = document
    return app.openapi_schema


def _describe_scheme() -> dict[str, str]:
    scopes = "\n".join(f"- `{scope}`: {meaning}" for scope, meaning in MEANING.items())
    return {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": PATTERN,
        "description": f"An API key, where the server asks for keys. Its holder may do what its scopes say:\n\n{scopes}",
    }


def _add_security(operation: dict[str, Any], access: Access | None) -> None:
    """Say which scopes open an operation, any one of them; OpenAPI 3.1 allows them with every kind of scheme."""
    if access is None or access.public:
        operation["security"] = []
        return
    operation["security"] = [{SCHEME: [scope]} for scope in access.any_of]
    for status, (title, headers) in _REFUSED.items():
        described = {name: {"description": meaning, "schema": {"type": "string"}} for name, meaning in headers.items()}
        operation["responses"][str(status)] = {"description": title} | ({"headers": described} if described else {})


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


def _mark_files(part: Any) -> None:
    """Say of each uploaded file that it is binary, as generated clients ask for (OpenAPI 3.0) beside its media type (3.1)."""
    if isinstance(part, list):
        for value in part:
            _mark_files(value)
    elif isinstance(part, dict):
        if part.get("contentMediaType") == "application/octet-stream":
            part["format"] = "binary"
        for value in part.values():
            _mark_files(value)


def _name_bodies(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Move inline bodies that have a title to the named schemas."""
    for content in operation.get("requestBody", {}).get("content", {}).values():
        # The routes' own schemas stay whole: another application may be described after this one.
        content["schema"] = _name_objects(deepcopy(content["schema"]), schemas)


def _name_objects(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """Return a reference to a schema that is a titled object, which is named with those within it; else the schema."""
    for property_schema in schema.get("properties", {}).values():
        if "items" in property_schema:
            property_schema["items"] = _name_objects(property_schema["items"], schemas)
    if schema.get("type") != "object" or "title" not in schema:
        return schema
    schemas[schema["title"]] = schema
    return {"$ref": f"#/components/schemas/{schema['title']}"}


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
