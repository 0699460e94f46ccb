"""The review queue: what waits for a person, and their verdicts."""

from typing import Literal

from fastapi import APIRouter, Response

from services.output_gate.endpoints.flags import tag_flag
from services.output_gate.flags.schemas import FlagAnswer
from services.output_gate.reviews.schemas import CheckReviewAnswer, OpenReview, ReviewRequest
from services.output_gate.reviews.service import page_of_reviews, review_check, review_flag
from shared.auth.access import needs
from shared.http.conditional import ConditionalRoute, IfMatch
from shared.http.dependencies import CurrentWorkspace, PageQuery
from shared.http.idempotency import Key
from shared.http.paging import Page
from shared.http.problems import CONDITION_FAILED, PROBLEM_RESPONSES

router = APIRouter(prefix="/v1", tags=["reviews"], responses=PROBLEM_RESPONSES, route_class=ConditionalRoute)


@router.get("/reviews", dependencies=needs("flags:read"), summary="List what waits for a verdict")
def get_reviews(
    workspace: CurrentWorkspace, page: PageQuery, kind: Literal["flag", "check"] | None = None
) -> Page[OpenReview]:
    """Answer with a page of open flags and of checks that were too close to decide, oldest first."""
    return page_of_reviews(workspace, page, kind)


@router.post(
    "/flags/{flag_id}/reviews",
    status_code=201,
    responses=CONDITION_FAILED,
    dependencies=needs("flags:review"),
    summary="Review a flag",
)
def create_flag_review(
    workspace: CurrentWorkspace,
    response: Response,
    flag_id: str,
    body: ReviewRequest,
    idempotency_key: Key = None,
    if_match: IfMatch = None,
) -> FlagAnswer:
    """Confirm a flag, so that its owners are notified, or overturn it for a reason, which ends it."""
    answer = review_flag(workspace, flag_id, body, idempotency_key=idempotency_key, if_match=if_match)
    return tag_flag(response, answer)


@router.post(
    "/checks/{check_id}/reviews", status_code=201, dependencies=needs("flags:review"), summary="Review a borderline check"
)
def create_check_review(
    workspace: CurrentWorkspace, check_id: str, body: ReviewRequest, idempotency_key: Key = None
) -> CheckReviewAnswer:
    """Say of a check that was too close to decide whether it is a copy: `confirm` raises its flag, `overturn` does not.

    The check itself stays as it was answered; the verdict is an entry of its own.
    """
    return review_check(workspace, check_id, body, idempotency_key)
