"""Recorded checks turned into answers: what the API and the command line show."""

from collections.abc import Sequence

from sqlmodel import Session, col, select

from services.output_gate.checks.schemas import BatchedAnswer, CheckAnswer, CheckSummary
from services.output_gate.results.recorded import read_result, with_names
from shared.clock import format_moment
from shared.errors import CorruptStateError
from shared.http.paging import Page, PageRequest
from shared.http.problem_details import Problem
from shared.receipts import prove_entries
from shared.records.batches import BatchedCheck
from shared.records.bulk_insert import in_chunks
from shared.records.checks import Check, list_checks, load_check
from shared.records.flags import find_flags_of_checks
from shared.records.models import Model, load_model_record
from shared.records.reviews import find_reviews
from shared.workspace import Workspace


def show_check(workspace: Workspace, check_id: str) -> CheckAnswer:
    """Return a check as it was decided, with its receipt.

    Raises:
        NotFoundError: no check has this id.
    """
    with workspace.reading() as session:
        check = load_check(session, check_id)
    return build_answer(workspace, check)


def page_of_checks(
    workspace: Workspace,
    page: PageRequest,
    *,
    decision: str | None = None,
    model: str | None = None,
    generation_sha256: str | None = None,
) -> Page[CheckSummary]:
    """Return a page of checks, newest first; each filter that is given must hold.

    Args:
        workspace: whose checks.
        page: which page.
        decision: what was decided.
        model: name or id of the model.
        generation_sha256: of the generation's bytes.

    Raises:
        InputError: the cursor is none of ours.
        NotFoundError: no such model.
    """
    with workspace.reading() as session:
        model_id = load_model_record(session, model).id if model else None
        equal = {"decision": decision, "model_id": model_id, "generation_sha256": generation_sha256}
        checks = list_checks(session, page.position, page.rows_to_load, **equal)
        return page.build(checks, lambda check: check.id, lambda shown: build_summaries(session, shown))


def build_answer(workspace: Workspace, check: Check) -> CheckAnswer:
    """Turn a recorded check into its answer, with the receipt of its entry."""
    return build_answers(workspace, [check])[0]


def build_answers(workspace: Workspace, checks: Sequence[Check]) -> list[CheckAnswer]:
    """Turn recorded checks into their answers, with receipts under one checkpoint, in the order given."""
    if not checks:
        return []
    with workspace.reading() as session:
        models = _load_model_names(session, checks)
        results = with_names(session, [check.result for check in checks])
        flags = find_flags_of_checks(session, [check.id for check in checks])
        reviews = find_reviews(session, [check.id for check in checks])
    proofs = prove_entries(workspace, [check.entry_id for check in checks])
    return [
        CheckAnswer(
            **result,
            id=check.id,
            model=models[check.model_id],
            generation_sha256=check.generation_sha256,
            decided_at=format_moment(check.created_at),
            flag_id=flags[check.id][0].id if flags[check.id] else None,
            flag_ids=[flag.id for flag in flags[check.id]],
            review=reviews[check.id].verdict or "waiting" if check.id in reviews else None,
            timings_ms=check.timings_ms,
            **proof,
        )
        for check, result, proof in zip(checks, results, proofs, strict=True)
    ]


def build_summaries(session: Session, checks: Sequence[Check]) -> list[CheckSummary]:
    """Describe checks in few words, in the order given."""
    models = _load_model_names(session, checks)
    return [_build_summary(check, models[check.model_id]) for check in checks]


def _build_summary(check: Check, model_name: str) -> CheckSummary:
    result = read_result(check)
    return CheckSummary(
        id=check.id,
        model=model_name,
        generation_sha256=check.generation_sha256,
        decision=result.decision,
        reason=result.reason,
        item=result.item_id,
        kind=result.kind,
        rule=result.rule,
        score=result.score,
        p_value=result.p_value,
        policy=result.policy,
        decided_at=format_moment(check.created_at),
    )


def build_batched_answers(workspace: Workspace, places: Sequence[BatchedCheck]) -> list[BatchedAnswer]:
    """Describe what became of the images of a batch, in order."""
    ids = [place.check_id for place in places if place.check_id is not None]
    with workspace.reading() as session:
        checks = [check for chunk in in_chunks(ids) for check in session.exec(select(Check).where(col(Check.id).in_(chunk)))]
    by_id = {answer.id: answer for answer in build_answers(workspace, checks)}
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


def _load_model_names(session: Session, checks: Sequence[Check]) -> dict[str, str]:
    model_ids = {check.model_id for check in checks}
    names = dict(session.exec(select(Model.id, Model.name).where(col(Model.id).in_(model_ids))).all())
    if len(names) < len(model_ids):
        raise CorruptStateError(f"checks name models that are not there: {sorted(model_ids - names.keys())}")
    return names
