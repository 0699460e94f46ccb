"""`/v1/policies`: adopt one, see what was adopted, try one on past checks."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse

from services.output_gate.policy.policy import PolicyContent, parse_policy, parse_policy_toml
from services.output_gate.policy.schemas import AdoptedPolicy, DryRun, PolicyAnswer, ProposedPolicy
from services.output_gate.policy.service import adopt, page_of_policies, show_policy, try_on_past_checks
from shared.auth.access import needs
from shared.errors import InputError
from shared.http.conditional import ConditionalRoute
from shared.http.dependencies import CurrentWorkspace, PageQuery
from shared.http.idempotency import Key
from shared.http.paging import Page
from shared.http.problems import PROBLEM_RESPONSES

router = APIRouter(prefix="/v1/policies", tags=["policies"], responses=PROBLEM_RESPONSES, route_class=ConditionalRoute)

# https://www.iana.org/assignments/media-types/application/toml
JSON, TOML = "application/json", "application/toml"
# Ours is about one kibibyte with its comments.
MAX_POLICY_BYTES = 64 * 2**10
# A dry run answers within a request: so many take about a second of one processor (measured: 0.9 s).
MAX_CHECKS = 10_000


def _inlined(schema: Any, parts: dict[str, Any]) -> Any:
    """Put parts where a schema refers to them: FastAPI, which reads no body here, does not know of them."""
    if isinstance(schema, list):
        return [_inlined(part, parts) for part in schema]
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

_PROPOSED: dict[int | str, dict[str, Any]] = {
    202: {"model": ProposedPolicy, "description": "Another key has to send the same policy before it is adopted"}
}

Content = Annotated[PolicyContent, Depends(read_policy)]


@router.post(
    "",
    status_code=201,
    response_model=AdoptedPolicy,
    responses=_UNSUPPORTED | _PROPOSED,
    dependencies=needs("policies:write"),
    summary="Adopt a policy",
    openapi_extra=_BODY,
)
def create_policy(
    workspace: CurrentWorkspace, response: Response, content: Content, idempotency_key: Key = None
) -> AdoptedPolicy | Response:
    """Adopt a policy through the log. From the next check on it decides, without a restart.

    A threshold outside its rule's range is refused. Where the server asks for two approvals, the first key is answered
    202; the policy is adopted when another key sends the same one. Versions of a name only grow, and a policy that was
    in force before is not adopted again: give it a new version.
    """
    answer = adopt(workspace, content, idempotency_key)
    if isinstance(answer, ProposedPolicy):
        return JSONResponse(answer.model_dump(mode="json"), status_code=202)
    response.headers["Location"] = f"/v1/policies/{answer.id}"
    return answer


@router.get("", dependencies=needs("policies:read"), summary="List adopted policies")
def get_policies(workspace: CurrentWorkspace, page: PageQuery) -> Page[PolicyAnswer]:
    """Answer with a page of policies in the order of their adoption; the last one is in force."""
    return page_of_policies(workspace, page)


@router.get("/{policy_id}", dependencies=needs("policies:read"), summary="Show one policy")
def get_policy(workspace: CurrentWorkspace, policy_id: str) -> AdoptedPolicy:
    """Answer with a policy, whether it is in force, and the receipt of its adoption."""
    return show_policy(workspace, policy_id)


@router.post(
    "/dry-runs",
    responses=_UNSUPPORTED,
    dependencies=needs("policies:write"),
    summary="Try a policy on past checks",
    openapi_extra=_BODY,
)
def try_policy(
    workspace: CurrentWorkspace,
    content: Content,
    model: Annotated[str | None, Query(max_length=100, description="Checks of this model only, by name or id.")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_CHECKS, description="How many of the newest checks.")] = 1000,
) -> DryRun:
    """Decide past checks again from their recorded scores, and answer with what would change. Nothing is adopted or recorded.

    Checks that cannot be decided again are listed with the reason: no scores were recorded, the policy asks for a shortlist of
    another length, or the rule was not measured.
    """
    return try_on_past_checks(workspace, content, limit, model)
