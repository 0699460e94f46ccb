"""Reviews: the verdict of a person on a flag, or on a check that was too close to decide.

Rules, in order:

1. One verdict each. Of two reviewers at once the second gets a conflict; nothing is overwritten.
2. A borderline check that is confirmed raises its flag, under the policy that it was decided by, and that flag is reviewed
   already: the same eyes need not look twice. One that is overturned is no copy, and says so; the check stays as answered.
3. Only what waits can be reviewed: a check that was decided, or was undecided because something was missing, cannot.
"""

from sqlmodel import Session

from services.output_gate.audit_events import Actor, log_audit_event
from services.output_gate.flags.creation import raise_flag
from services.output_gate.flags.steps import take_step
from services.output_gate.policy.policy import content_of
from services.output_gate.reviews.schemas import CheckReviewAnswer, OpenReview, ReviewRequest
from services.output_gate.webhooks.outbox import queue_event
from shared.clock import format_moment, utc_now
from shared.errors import ConflictError, CorruptStateError, NotFoundError
from shared.http.paging import Page, decode_cursor, encode_cursor
from shared.ledger.body_fields import UNSPECIFIED
from shared.ledger.output_bodies import CheckReviewed
from shared.records.checks import Check, load_check
from shared.records.flag_states import FlagRole
from shared.records.flags import Flag, find_flag_of_check
from shared.records.policies import load_policy
from shared.records.reviews import Review, find_review, list_open_reviews, lock_review
from shared.workspace import Workspace

REVIEWER: FlagRole = "reviewer"


def review_flag(session: Session, flag_id: str, request: ReviewRequest) -> Flag:
    """Record a verdict on a flag, in the caller's transaction.

    Raises:
        NotFoundError: no such flag.
        InputError: it is overturned without a reason.
        ConflictError: it was reviewed before.
    """
    return take_step(
        session,
        flag_id,
        request.verdict,
        REVIEWER,
        reason=request.reason,
        actor_name=request.name,
        note=request.note,
    )


def review_check(session: Session, check_id: str, request: ReviewRequest) -> Review:
    """Record a verdict on a borderline check, in the caller's transaction.

    Raises:
        NotFoundError: no such check.
        ConflictError: it does not wait for a verdict, or no longer.
    """
    check = load_check(session, check_id)
    try:
        review = lock_review(session, check_id)
    except NotFoundError as error:
        raise ConflictError(
            f"expected a borderline check to review, got one that is {check.decision} ({check.result['reason']})",
            code="check_not_borderline",
        ) from error
    if review.verdict is not None:
        raise ConflictError(f"check {check_id} was reviewed already: {review.verdict}", code="reviewed_already")
    now = utc_now()
    body = CheckReviewed(role=REVIEWER, verdict=request.verdict, reason=request.reason)
    actor = Actor(REVIEWER, request.name, request.note)
    review.entry_id = log_audit_event(session, actor, {"check": check_id}, body, now)
    review.verdict, review.role, review.closed_at = request.verdict, REVIEWER, now
    session.add(review)
    session.flush()
    queue_event(session, "check.reviewed", {"check_id": check_id, "verdict": request.verdict}, now)
    if request.verdict == "confirm":
        flag = raise_flag(session, check, content_of(load_policy(session, check.policy_id)))
        take_step(session, flag.id, "confirm", REVIEWER, reason="confirmed as a borderline check")
    return review


def build_check_review(workspace: Workspace, check_id: str) -> CheckReviewAnswer:
    """Build the answer about the verdict on a check.

    Raises:
        NotFoundError: it was not reviewed.
    """
    with workspace.reading() as session:
        review = find_review(session, check_id)
        flag = find_flag_of_check(session, check_id)
    if review is None or review.entry_id is None or review.closed_at is None:
        raise NotFoundError(f"check {check_id!r} was not reviewed", code="review_not_found")
    return CheckReviewAnswer.model_validate(
        {
            "check_id": check_id,
            "verdict": review.verdict,
            "role": review.role,
            "at": format_moment(review.closed_at),
            "flag_id": flag.id if flag else None,
            "receipt": workspace.log.receipt(review.entry_id),
        }
    )


def page_of_reviews(workspace: Workspace, cursor: str | None, limit: int, kind: str | None) -> Page[OpenReview]:
    """Return a page of what waits for a verdict, oldest first.

    Raises:
        InputError: the cursor is none of ours.
    """
    after = decode_cursor(cursor) if cursor else ""
    with workspace.reading() as session:
        found = list_open_reviews(session, after, limit + 1, kind)
        shown = [_open_review(one, session.get(Check, one.check_id)) for one in found[:limit]]
    return Page(items=shown, next_cursor=encode_cursor(found[limit - 1].subject_id) if len(found) > limit else None)


def _open_review(review: Review, check: Check | None) -> OpenReview:
    if check is None:
        raise CorruptStateError(f"review {review.subject_id} is of a check that is not on record")
    result = check.result
    figures = {name: result.get(name) for name in ("rule", "score", "p_value", "threshold", "borderline_threshold", "policy")}
    return OpenReview.model_validate(
        figures
        | {
            "id": review.subject_id,
            "kind": review.kind,
            "check_id": check.id,
            "opened_at": format_moment(review.opened_at),
            "model_id": check.model_id,
            "generation_sha256": check.generation_sha256,
            "item_id": result["match"]["id"],
            # Checks that were decided before there were kinds say none.
            "match_kind": result.get("kind") or UNSPECIFIED,
        }
    )
