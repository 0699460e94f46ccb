"""The record of a check: result, entry, flag, place in the review queue and messages, in one transaction.

Rules, in order:

1. Generations that were judged together are recorded together.
2. Where one of their slots was filled meanwhile, or two of them have one slot, each is recorded alone. Whoever finds its slot
   filled takes the check that fills it.
3. Bytes are stored before; nothing is decided about what cannot be stored.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from services.output_gate.checks.admission import AlreadyDecidedError, Generation, find_earlier_check
from services.output_gate.checks.judgement import CheckEvidence
from services.output_gate.checks.result_building import build_results
from services.output_gate.checks.timings import Timings
from services.output_gate.flags.creation import count_further, raise_flags
from services.output_gate.gate import Gate
from services.output_gate.operation.metrics import observe_steps
from services.output_gate.results.recorded import without_names
from services.output_gate.results.schemas import CheckResult
from services.output_gate.webhooks.outbox import queue_event
from shared.clock import utc_now
from shared.errors import ConflictError, SleeveError, UnavailableError
from shared.ids import new_id
from shared.ledger.entries import build_entry
from shared.ledger.output_bodies import CheckDecided
from shared.matching.calibration.decision import BORDERLINE
from shared.records.checks import Check
from shared.records.entry_rows import append_and_add
from shared.records.models import Model
from shared.records.outputs import save_outputs
from shared.records.reviews import Review


def store_images(gate: Gate, generations: Sequence[Generation]) -> dict[str, float]:
    """Store the bytes of generations; return each one's share of the time that it took, by step, in milliseconds.

    Raises:
        UnavailableError: the disk is full, or the folder is gone.
    """
    timings = Timings()
    try:
        with timings.step("store"):
            gate.workspace.blobs.save_many([generation.data for generation in generations])
    except OSError as error:
        raise UnavailableError(f"generations cannot be kept: {error.strerror}", code="blobs_unwritable") from error
    return timings.divided_by(len(generations))


def record(
    gate: Gate, model: Model, generations: Sequence[Generation], evidence: Sequence[CheckEvidence]
) -> list[Check | SleeveError]:
    """Record what was decided about generations.

    Returns:
        For each its check, or the error that its slot came to.

    Raises:
        UnavailableError: the database is down; nothing is recorded then.
    """
    try:
        return [*record_together(gate, model, generations, evidence)]
    except (IntegrityError, AlreadyDecidedError):
        return [_record_alone(gate, model, *pair) for pair in zip(generations, evidence, strict=True)]


def record_together(
    gate: Gate, model: Model, generations: Sequence[Generation], evidence: Sequence[CheckEvidence]
) -> list[Check]:
    """Record what was decided about generations, all of them or none.

    Raises:
        AlreadyDecidedError: a place of a batch has an outcome.
        IntegrityError: a key made a check already.
    """
    timings = Timings()
    with timings.step("record"), gate.workspace.writing() as session:
        results = build_results(session, gate, model, evidence)
        checks = [_record_one(session, gate, model, *pair) for pair in zip(generations, results, strict=True)]
        save_outputs(session, [generation.output for generation in generations])
    for check in checks:
        observe_steps({**check.timings_ms, **timings.divided_by(len(checks))})
    return checks


def _record_alone(gate: Gate, model: Model, generation: Generation, evidence: CheckEvidence) -> Check | SleeveError:
    try:
        return record_together(gate, model, [generation], [evidence])[0]
    except (IntegrityError, AlreadyDecidedError) as failure:
        try:
            earlier = find_earlier_check(gate, generation.slot)
        except ConflictError as error:
            return error
        if earlier is None and isinstance(failure, AlreadyDecidedError):
            return failure  # of a place that has a problem by now
        if earlier is None:
            raise
        return earlier


def _record_one(session: Session, gate: Gate, model: Model, generation: Generation, result: CheckResult) -> Check:
    check_id, now, digest = new_id(), utc_now(), generation.output.generation_sha256
    check = append_and_add(
        session,
        build_entry(_build_body(model, digest, result), at=now, subject={"check": check_id, "generation_sha256": digest}),
        lambda entry_id: Check(
            id=check_id,
            model_id=model.id,
            policy_id=gate.policy.id,
            generation_sha256=digest,
            decision=result.decision,
            result=without_names(result.model_dump(mode="json")),
            timings_ms=generation.timings.stop(),
            entry_id=entry_id,
            created_at=now,
        ),
    )
    queue_event(session, "check.decided", build_event_data(check, result), now)
    if result.decision == "flag":
        raise_flags(session, check, result, gate.content)
    if result.reason == BORDERLINE:
        session.add(Review(subject_id=check.id, kind="check", check_id=check.id, opened_at=now))
        session.flush()
    generation.slot.fill(session, check.id)
    return check


def build_event_data(check: Check, result: CheckResult) -> dict[str, Any]:
    """Build what a message says of a check."""
    fields = check.model_dump(include={"model_id", "generation_sha256", "decision"})
    return fields | {"check_id": check.id, "reason": result.reason}


def _build_body(model: Model, generation_sha256: str, result: CheckResult) -> CheckDecided:
    # Entries that came before kinds have none; nor has one without a match.
    kind = result.model_dump(include={"kind", "kind_figures"}, exclude_none=True)
    further = count_further(result) if result.decision == "flag" else {}
    return CheckDecided(
        model_id=model.id,
        manifest_root=result.manifest_root,
        generation_sha256=generation_sha256,
        decision=result.decision,
        reason=result.reason,
        item=result.item_id,
        rule=result.rule,
        score=result.score,
        p_value=result.p_value,
        metrics=result.metrics.model_dump(exclude={"identical"}) if result.metrics else {},
        policy_sha256=result.policy_sha256,
        calibration_sha256=result.calibration_sha256,
        embedder=result.embedder,
        index_cursor=result.index["cursor"],
        **kind,
        **further,
    )
