"""The review queue: what waits for a person, and their verdicts."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from services.output_gate.flags.answers import build_flag_answer
from services.output_gate.flags.endpoints import tagged_answer
from services.output_gate.flags.schemas import FlagAnswer
from services.output_gate.reviews.schemas import CheckReviewAnswer, OpenReview, ReviewRequest
from services.output_gate.reviews.service import build_check_review, page_of_reviews, review_check, review_flag
from shared.auth.access import needs
from shared.canonical import canonical_json, sha256_hex
from shared.http.conditional import ConditionalRoute, IfMatch, verify_precondition
from shared.http.idempotency import Key
from shared.http.paging import Page
from shared.http.problems import CONDITION_FAILED, PROBLEM_RESPONSES
from shared.records.flags import lock_flag
from shared.records.idempotency import bind_effect, find_effect
from shared.workspace import Workspace

router = APIRouter(prefix="/v1", tags=["reviews"], responses=PROBLEM_RESPONSES, route_class=ConditionalRoute)

OF_FLAG, OF_CHECK = "flags.review", "checks.review"


@router.get("/reviews", dependencies=needs("flags:read"), summary="List what waits for a verdict")
def get_reviews(
    request: Request,
    kind: Literal["flag", "check"] | None = None,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> Page[OpenReview]:
    """Answer with a page of open flags and of checks that were too close to decide, oldest first."""
    workspace: Workspace = request.app.state.workspace
    return page_of_reviews(workspace, cursor, limit, kind)


@router.post(
    "/flags/{flag_id}/reviews",
    status_code=201,
    responses=CONDITION_FAILED,
    dependencies=needs("flags:review"),
    summary="Review a flag",
)
def create_flag_review(
    request: Request,
    response: Response,
    flag_id: str,
    body: ReviewRequest,
    idempotency_key: Key = None,
    if_match: IfMatch = None,
) -> FlagAnswer:
    """Confirm a flag, so that its owners are notified, or overturn it for a reason, which ends it."""
    workspace: Workspace = request.app.state.workspace
    digest = _digest(flag_id, body)
    with workspace.writing() as session:
        if find_effect(session, OF_FLAG, idempotency_key, digest) is None:
            flag = lock_flag(session, flag_id)
            verify_precondition(if_match, lambda: build_flag_answer(session, flag))
            review_flag(session, flag_id, body)
            bind_effect(session, OF_FLAG, idempotency_key, digest, flag_id)
    return tagged_answer(workspace, response, flag_id)


@router.post(
    "/checks/{check_id}/reviews", status_code=201, dependencies=needs("flags:review"), summary="Review a borderline check"
)
def create_check_review(
    request: Request, check_id: str, body: ReviewRequest, idempotency_key: Key = None
) -> CheckReviewAnswer:
    """Say of a check that was too close to decide whether it is a copy: `confirm` raises its flag, `overturn` does not.

    The check itself stays as it was answered; the verdict is an entry of its own.
    """
    workspace: Workspace = request.app.state.workspace
    digest = _digest(check_id, body)
    with workspace.writing() as session:
        if find_effect(session, OF_CHECK, idempotency_key, digest) is None:
            review_check(session, check_id, body)
            bind_effect(session, OF_CHECK, idempotency_key, digest, check_id)
    return build_check_review(workspace, check_id)


def _digest(subject_id: str, body: ReviewRequest) -> str:
    return sha256_hex(canonical_json({"subject": subject_id, "body": body.model_dump(mode="json")}))
