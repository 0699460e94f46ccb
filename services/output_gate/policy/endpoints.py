"""`/v1/policies`: adopt one, see what was adopted, try one on past checks."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response

from services.output_gate.policy.adoption import adopt_policy
from services.output_gate.policy.answers import build_adopted, page_of_policies
from services.output_gate.policy.dry_run import run_dry
from services.output_gate.policy.policy import PolicyContent, parse_policy, parse_policy_toml
from services.output_gate.policy.schemas import AdoptedPolicy, DryRun, PolicyAnswer
from shared.auth.access import needs
from shared.errors import InputError
from shared.http.conditional import ConditionalRoute
from shared.http.idempotency import Key
from shared.http.paging import Page
from shared.http.problems import PROBLEM_RESPONSES
from shared.records.idempotency import bind_effect, find_effect
from shared.records.models import load_model_record
from shared.workspace import Workspace

router = APIRouter(prefix="/v1/policies", tags=["policies"], responses=PROBLEM_RESPONSES, route_class=ConditionalRoute)

OPERATION = "policies.adopt"
# https://www.iana.org/assignments/media-types/application/toml
JSON, TOML = "application/json", "application/toml"
# Ours is about one kibibyte with its comments.
MAX_POLICY_BYTES = 64 * 2**10
# A dry run answers within a request: so many take about a second of one processor (measured: 0.9 s).
MAX_CHECKS = 10_000


def _inlined(schema: Any, parts: dict[str, Any]) -> Any:
    """Put parts where a schema refers to them: FastAPI, which reads no body here, does not know of them."""
    if isinstance(schema, list):
        return [_inlined(one, parts) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inlined(parts[schema["$ref"].rpartition("/")[2]], parts)
    return {name: _inlined(value, parts) for name, value in schema.items() if name != "$defs"}


_WHOLE = PolicyContent.model_json_schema()
_SCHEMAS = {JSON: _inlined(_WHOLE, _WHOLE["$defs"]), TOML: {"type": "string"}}
_BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {media: {"schema": schema} for media, schema in _SCHEMAS.items()}}
}


async def read_policy(request: Request) -> PolicyContent:
    """Read the policy that a request brings, as JSON or as TOML.

    Raises:
        InputError: it cannot be read, is too long, or does not fit.
        HTTPException: 415, it is neither.
    """
    data = await request.body()
    if len(data) > MAX_POLICY_BYTES:
        raise InputError(f"expected a policy of at most {MAX_POLICY_BYTES:,} bytes, got {len(data):,}", code="policy_invalid")
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        text = data.decode("utf-8")
        if media_type == TOML:
            return parse_policy_toml(text)
        if media_type == JSON:
            return parse_policy(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise InputError(f"policy cannot be read: {error}", code="policy_unreadable") from error
    raise HTTPException(415, f"expected {JSON} or {TOML}, got {media_type[:100] or 'no media type'}")


_UNSUPPORTED: dict[int | str, dict[str, Any]] = {415: {**PROBLEM_RESPONSES[422], "description": "Another media type"}}

Content = Annotated[PolicyContent, Depends(read_policy)]


@router.post(
    "",
    status_code=201,
    responses=_UNSUPPORTED,
    dependencies=needs("policies:write"),
    summary="Adopt a policy",
    openapi_extra=_BODY,
)
def create_policy(request: Request, response: Response, content: Content, idempotency_key: Key = None) -> AdoptedPolicy:
    """Adopt a policy through the log. From the next check on it decides, without a restart.

    Versions of a name only grow, and a policy that was in force before is not adopted again: give it a new version.
    """
    workspace: Workspace = request.app.state.workspace
    with workspace.writing() as session:
        policy_id = find_effect(session, OPERATION, idempotency_key, content.sha256)
        if policy_id is None:
            policy_id = adopt_policy(session, content).id
            bind_effect(session, OPERATION, idempotency_key, content.sha256, policy_id)
    response.headers["Location"] = f"/v1/policies/{policy_id}"
    return build_adopted(workspace, policy_id)


@router.get("", dependencies=needs("policies:read"), summary="List adopted policies")
def get_policies(
    request: Request,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> Page[PolicyAnswer]:
    """Answer with a page of policies in the order of their adoption; the last one is in force."""
    workspace: Workspace = request.app.state.workspace
    return page_of_policies(workspace, cursor, limit)


@router.get("/{policy_id}", dependencies=needs("policies:read"), summary="Show one policy")
def get_policy(request: Request, policy_id: str) -> AdoptedPolicy:
    """Answer with a policy, whether it is in force, and the receipt of its adoption."""
    workspace: Workspace = request.app.state.workspace
    return build_adopted(workspace, policy_id)


@router.post(
    "/dry-runs",
    responses=_UNSUPPORTED,
    dependencies=needs("policies:write"),
    summary="Try a policy on past checks",
    openapi_extra=_BODY,
)
def try_policy(
    request: Request,
    content: Content,
    model: Annotated[str | None, Query(max_length=100, description="Checks of this model only, by name or id.")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_CHECKS, description="How many of the newest checks.")] = 1000,
) -> DryRun:
    """Decide past checks again from their recorded scores, and answer with what would change. Nothing is adopted or recorded.

    Checks that cannot be decided again are listed with the reason: no scores were recorded, the policy asks for a shortlist of
    another length, or the rule was not measured.
    """
    workspace: Workspace = request.app.state.workspace
    model_id = None
    if model is not None:
        with workspace.reading() as session:
            model_id = load_model_record(session, model).id
    return run_dry(workspace, content, limit, model_id)
