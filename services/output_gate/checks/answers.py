"""Recorded checks turned into answers: what the API and the command line show."""

from collections.abc import Sequence

from sqlmodel import Session, col, select

from services.output_gate.checks.party_names import with_names
from services.output_gate.checks.schemas import BatchedAnswer, CheckAnswer, CheckSummary
from shared.clock import format_moment
from shared.errors import CorruptStateError
from shared.http.problem_details import Problem
from shared.records.batches import BatchedCheck
from shared.records.bulk_insert import in_chunks
from shared.records.checks import Check
from shared.records.flags import find_flags_of_checks
from shared.records.models import Model
from shared.records.reviews import find_reviews
from shared.workspace import Workspace


def build_answer(workspace: Workspace, check: Check) -> CheckAnswer:
    """Turn a recorded check into its answer, with the receipt of its entry."""
    return build_answers(workspace, [check])[0]


def build_answers(workspace: Workspace, checks: Sequence[Check]) -> list[CheckAnswer]:
    """Turn recorded checks into their answers, with receipts under one checkpoint, in the order given."""
    if not checks:
        return []
    with workspace.reading() as session:
        models = _model_names(session, checks)
        results = with_names(session, [check.result for check in checks])
        flags = find_flags_of_checks(session, [check.id for check in checks])
        reviews = find_reviews(session, [check.id for check in checks])
    receipts = workspace.log.receipts([check.entry_id for check in checks])
    return [
        CheckAnswer(
            **result,
            id=check.id,
            model=models[check.model_id],
            generation_sha256=check.generation_sha256,
            decided_at=format_moment(check.created_at),
            flag_id=flags[check.id].id if check.id in flags else None,
            review=reviews[check.id].verdict or "waiting" if check.id in reviews else None,
            timings_ms=check.timings_ms,
            receipt=receipt,
        )
        for check, result, receipt in zip(checks, results, receipts, strict=True)
    ]


def build_summaries(session: Session, checks: Sequence[Check]) -> list[CheckSummary]:
    """Describe checks in few words, in the order given."""
    models = _model_names(session, checks)
    return [
        CheckSummary(
            id=check.id,
            model=models[check.model_id],
            generation_sha256=check.generation_sha256,
            decision=check.decision,
            reason=check.result["reason"],
            item=item_of(check),
            kind=check.result.get("kind"),
            rule=check.result["rule"],
            score=check.result["score"],
            p_value=check.result["p_value"],
            policy=check.result["policy"],
            decided_at=format_moment(check.created_at),
        )
        for check in checks
    ]


def build_batched_answers(workspace: Workspace, places: Sequence[BatchedCheck]) -> list[BatchedAnswer]:
    """Describe what became of the images of a batch, in order."""
    ids = [place.check_id for place in places if place.check_id is not None]
    with workspace.reading() as session:
        found = [check for chunk in in_chunks(ids) for check in session.exec(select(Check).where(col(Check.id).in_(chunk)))]
    by_id = {answer.id: answer for answer in build_answers(workspace, found)}
    return [
        BatchedAnswer(
            position=place.position,
            name=place.name,
            generation_sha256=place.generation_sha256,
            check=by_id[place.check_id] if place.check_id is not None else None,
            problem=None if place.problem is None else Problem(**place.problem),
        )
        for place in places
    ]


def item_of(check: Check) -> str | None:
    """Return the id of the item that a check's score belongs to, if it has one."""
    match = check.result.get("match")
    return None if match is None else str(match["id"])


def _model_names(session: Session, checks: Sequence[Check]) -> dict[str, str]:
    wanted = {check.model_id for check in checks}
    names = dict(session.exec(select(Model.id, Model.name).where(col(Model.id).in_(wanted))).all())
    if len(names) < len(wanted):
        raise CorruptStateError(f"checks name models that are not there: {sorted(wanted - names.keys())}")
    return names
