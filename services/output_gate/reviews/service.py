"""Reviews: the verdict of a person on a flag, or on a check that was too close to decide.

Rules, in order:

1. One verdict each. Of two reviewers at once the second gets a conflict; nothing is overwritten.
2. A borderline check that is confirmed raises its flags, under the policy that it was decided by. They count as reviewed:
   the same eyes need not look twice. One that is overturned raises none. The check stays as it was answered.
3. Only what waits can be reviewed: a check that was decided, or was undecided because something was missing, cannot.
"""

from sqlmodel import Session

from services.output_gate.audit_events import Actor, log_audit_event
from services.output_gate.flags.creation import count_further, raise_flags
from services.output_gate.flags.schemas import FlagAnswer
from services.output_gate.flags.service import build_flag_answer, show_changed_flag
from services.output_gate.flags.steps import RequestedStep, take_step
from services.output_gate.policy.policy import content_of
from services.output_gate.results.recorded import read_result
from services.output_gate.reviews.schemas import CheckReviewAnswer, OpenReview, ReviewRequest
from services.output_gate.webhooks.outbox import queue_event
from shared.clock import format_moment, utc_now
from shared.errors import ConflictError, CorruptStateError, NotFoundError
from shared.http.entity_tags import verify_precondition
from shared.http.paging import Page, PageRequest
from shared.idempotency import once
from shared.ledger.body_fields import UNSPECIFIED
from shared.ledger.output_bodies import CheckReviewed
from shared.receipts import prove_entry
from shared.records.checks import Check, load_check
from shared.records.flag_states import FlagRole
from shared.records.flags import find_flags_of_check, lock_flag
from shared.records.policies import load_policy
from shared.records.reviews import Review, find_review, list_open_reviews, lock_review
from shared.workspace import Workspace

OF_FLAG, OF_CHECK = "flags.review", "checks.review"
REVIEWER: FlagRole = "reviewer"


def review_flag(
    workspace: Workspace,
    flag_id: str,
    request: ReviewRequest,
    *,
    idempotency_key: str | None = None,
    if_match: str | None = None,
) -> FlagAnswer:
    """Record a verdict on a flag, and return the flag as it stands then.

    Args:
        workspace: whose flag.
        flag_id: which flag.
        request: the verdict.
        idempotency_key: sent again with it, the request records no second verdict.
        if_match: the tag that the flag has to have still, as the field `If-Match` gives it; None for any.

    Raises:
        NotFoundError: no such flag.
        PreconditionError: the flag was changed since it was read.
        InputError: it is overturned without a reason.
        ConflictError: it was reviewed before, or the Idempotency-Key was used for another request.
    """

    def act(session: Session) -> str:
        flag = lock_flag(session, flag_id)
        verify_precondition(if_match, lambda: build_flag_answer(session, flag))
        take_step(session, flag_id, RequestedStep(request.verdict, REVIEWER, request.reason, request.name, request.note))
        return flag_id

    once(workspace, OF_FLAG, idempotency_key, _describe(flag_id, request), act)
    return show_changed_flag(workspace, flag_id)


def review_check(
    workspace: Workspace, check_id: str, request: ReviewRequest, idempotency_key: str | None = None
) -> CheckReviewAnswer:
    """Record a verdict on a borderline check.

    Raises:
        NotFoundError: no such check.
        ConflictError: it does not wait for a verdict, or no longer; or the Idempotency-Key was used for another request.
    """

    def act(session: Session) -> str:
        _record_verdict(session, check_id, request)
        return check_id

    once(workspace, OF_CHECK, idempotency_key, _describe(check_id, request), act)
    return build_check_review(workspace, check_id)


def _describe(subject_id: str, request: ReviewRequest) -> dict[str, object]:
    return {"subject": subject_id, "body": request.model_dump(mode="json")}


def _record_verdict(session: Session, check_id: str, request: ReviewRequest) -> None:
    check = load_check(session, check_id)
    review = _lock_waiting(session, check)
    now = utc_now()
    result = read_result(check)
    further = count_further(result) if request.verdict == "confirm" else {}
    body = CheckReviewed(role=REVIEWER, verdict=request.verdict, reason=request.reason, **further)
    actor = Actor(REVIEWER, request.name, request.note)
    review.entry_id = log_audit_event(session, actor, {"check": check_id}, body, now)
    review.verdict, review.role, review.closed_at = request.verdict, REVIEWER, now
    session.add(review)
    session.flush()
    queue_event(session, "check.reviewed", {"check_id": check_id, "verdict": request.verdict}, now)
    if request.verdict == "confirm":
        for flag in raise_flags(session, check, result, content_of(load_policy(session, check.policy_id))):
            take_step(session, flag.id, RequestedStep("confirm", REVIEWER, reason="confirmed as a borderline check"))


def _lock_waiting(session: Session, check: Check) -> Review:
    """Lock the review of a check that waits for its verdict."""
    try:
        review = lock_review(session, check.id)
    except NotFoundError as error:
        reason = read_result(check).reason
        raise ConflictError(
            f"expected a borderline check to review, got one that is {check.decision} ({reason})", code="check_not_borderline"
        ) from error
    if review.verdict is not None:
        raise ConflictError(f"check {check.id} was reviewed already: {review.verdict}", code="reviewed_already")
    return review


def build_check_review(workspace: Workspace, check_id: str) -> CheckReviewAnswer:
    """Build the answer about the verdict on a check.

    Raises:
        NotFoundError: it was not reviewed.
    """
    with workspace.reading() as session:
        review = find_review(session, check_id)
        flag_ids = [flag.id for flag in find_flags_of_check(session, check_id)]
    if review is None or review.entry_id is None or review.closed_at is None:
        raise NotFoundError(f"check {check_id!r} was not reviewed", code="review_not_found")
    return CheckReviewAnswer.model_validate(
        {
            "check_id": check_id,
            "verdict": review.verdict,
            "role": review.role,
            "at": format_moment(review.closed_at),
            "flag_id": flag_ids[0] if flag_ids else None,
            "flag_ids": flag_ids,
        }
        | prove_entry(workspace, review.entry_id, with_names=False)
    )


def page_of_reviews(workspace: Workspace, page: PageRequest, kind: str | None = None) -> Page[OpenReview]:
    """Return a page of what waits for a verdict, oldest first; of flags or checks only, where the kind is given.

    Raises:
        InputError: the cursor is none of ours.
    """
    with workspace.reading() as session:
        reviews = list_open_reviews(session, page.position, page.rows_to_load, kind)
        return page.build(
            reviews,
            lambda review: review.subject_id,
            lambda shown: [_build_open_review(review, session.get(Check, review.check_id)) for review in shown],
        )


def _build_open_review(review: Review, check: Check | None) -> OpenReview:
    if check is None:
        raise CorruptStateError(f"review {review.subject_id} is of a check that is not on record")
    result = read_result(check)
    figures = result.model_dump(include={"rule", "score", "p_value", "threshold", "borderline_threshold", "policy"})
    return OpenReview.model_validate(
        figures
        | {
            "id": review.subject_id,
            "kind": review.kind,
            "check_id": check.id,
            "opened_at": format_moment(review.opened_at),
            "model_id": check.model_id,
            "generation_sha256": check.generation_sha256,
            "item_id": result.item_id,
            # Checks that were decided before there were kinds say none.
            "match_kind": result.kind or UNSPECIFIED,
        }
    )
