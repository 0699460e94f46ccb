"""One check: a generation in, a decision out, recorded and logged before it is answered.

Rules, in order:

1. Bytes that are no acceptable image, or a model that is unknown, are errors: there is nothing to decide about.
2. Everything else gets a decision. Whatever is missing, behind or failing makes it `undecided` with the reason.
3. Decision, flag and entries are committed in one transaction before the receipt is made.
4. One Idempotency-Key has one effect.
"""

from typing import Any

import structlog
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from services.output_gate.checks.evidence import CheckEvidence, build_result, find_evidence
from services.output_gate.checks.schemas import CheckAnswer, CheckResult
from services.output_gate.gate import Gate
from shared.canonical import canonical_json, sha256_hex
from shared.clock import timestamp, utc_now
from shared.errors import InputError, NotFoundError, SleeveError
from shared.ids import new_id
from shared.ledger.entries import Entry
from shared.ledger.log import Log
from shared.matching.decision import undecided
from shared.records.checks import Check, load_check
from shared.records.flags import Flag
from shared.records.idempotency import bind_effect, find_effect
from shared.records.items import load_owners
from shared.records.models import Model, load_model_record
from shared.vision.images import DecodedImage, decode_image

OPERATION = "checks.create"

log = structlog.get_logger()


def check_generation(gate: Gate, model_name: str, data: bytes, key: str | None = None) -> Check:
    """Check one generation.

    Args:
        gate: index, policy and workspace.
        model_name: name or id of the model that made the image.
        data: the encoded image.
        key: an Idempotency-Key, if the caller gave one.

    Returns:
        The recorded check; the first one, where the key was used for this very request before.

    Raises:
        InputError: the bytes cannot be accepted.
        NotFoundError: no such model.
        ConflictError: the key was used for another request.
        UnavailableError: the database is down, so that nothing could be recorded.
    """
    image = decode_image(data, gate.workspace.limits)
    with gate.workspace.reading() as session:
        model = load_model_record(session, model_name)
        made_before = find_effect(session, OPERATION, key, _request_sha256(model, data))
        if made_before is not None:
            return load_check(session, made_before)
    evidence = _find_evidence_or_reason(gate, model, image)
    digest = gate.workspace.blobs.save(data)
    try:
        return _record_once(gate, model, digest, evidence, key, _request_sha256(model, data))
    except IntegrityError:
        # Another request with this key was faster; its check is the answer.
        with gate.workspace.reading() as session:
            made_before = find_effect(session, OPERATION, key, _request_sha256(model, data))
            if made_before is None:
                raise
            return load_check(session, made_before)


def _request_sha256(model: Model, data: bytes) -> str:
    return sha256_hex(canonical_json({"model": model.id, "image": sha256_hex(data)}))


def _find_evidence_or_reason(gate: Gate, model: Model, image: DecodedImage) -> CheckEvidence:
    try:
        return find_evidence(gate, model, image)
    except SleeveError as error:
        log.warning("check_undecided", model=model.id, reason=error.code)
        return CheckEvidence(undecided(error.code))
    except Exception:
        # The gate must never clear by accident: any failure of a dependency is an undecided check, kept and logged.
        log.exception("check_failed", model=model.id)
        return CheckEvidence(undecided("internal_error"))


def _record_once(gate: Gate, model: Model, digest: str, evidence: CheckEvidence, key: str | None, request: str) -> Check:
    with gate.workspace.writing() as session:
        result = build_result(session, gate, model, evidence)
        check = _record(session, gate, model, digest, result)
        bind_effect(session, OPERATION, key, request, check.id)
    return check


def _record(session: Session, gate: Gate, model: Model, digest: str, result: CheckResult) -> Check:
    check_id, now = new_id(), utc_now()
    [entry_id] = Log.append(session, [_check_entry(check_id, model, digest, result, timestamp(now))])
    check = Check(
        id=check_id,
        model_id=model.id,
        policy_id=gate.policy.id,
        generation_sha256=digest,
        decision=result.decision,
        result=result.model_dump(mode="json"),
        entry_id=entry_id,
        created_at=now,
    )
    session.add(check)
    session.flush()
    if result.decision == "flag":
        _raise_flag(session, check, result)
    return check


def _check_entry(check_id: str, model: Model, digest: str, result: CheckResult, at: str) -> Entry:
    return Entry(
        type="check.decided",
        at=at,
        subject={"check": check_id, "generation_sha256": digest},
        body={
            "model_id": model.id,
            "manifest_root": result.manifest_root,
            "generation_sha256": digest,
            "decision": result.decision,
            "reason": result.reason,
            "item": result.match.id if result.match else None,
            "rule": result.rule,
            "score": result.score,
            "p_value": result.p_value,
            "metrics": result.metrics.model_dump(exclude={"identical"}) if result.metrics else {},
            "policy_sha256": result.policy_sha256,
            "calibration_sha256": result.calibration_sha256,
            "embedder": result.embedder,
            "index_cursor": result.index["cursor"],
        },
    )


def _raise_flag(session: Session, check: Check, result: CheckResult) -> None:
    if result.match is None:
        raise InputError("a flag needs a matched item, got none")
    flag_id, item_id = new_id(), result.match.id
    owners = load_owners(session, [item_id])[item_id]
    shares: list[dict[str, Any]] = [{"party": party.id, "share": 1 / len(owners)} for _, party in owners]
    body: dict[str, Any] = {"check_id": check.id, "item": item_id, "owners": shares}
    subject = {"flag": flag_id, "check": check.id}
    entry = Entry(type="flag.raised", at=timestamp(check.created_at), subject=subject, body=body)
    [entry_id] = Log.append(session, [entry])
    session.add(
        Flag(
            id=flag_id,
            check_id=check.id,
            item_id=item_id,
            shares=shares,
            entry_id=entry_id,
            created_at=check.created_at,
        )
    )
    session.flush()


def build_answer(gate: Gate, check: Check) -> CheckAnswer:
    """Turn a recorded check into its answer, with the receipt of its entry."""
    with gate.workspace.reading() as session:
        model = session.get(Model, check.model_id)
    if model is None:
        raise NotFoundError(f"no model {check.model_id!r}", code="model_not_found")
    return CheckAnswer(
        **check.result,
        id=check.id,
        model=model.name,
        generation_sha256=check.generation_sha256,
        receipt=gate.workspace.log.receipt(check.entry_id),
    )
