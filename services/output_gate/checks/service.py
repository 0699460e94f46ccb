"""Checks: generations in, decisions out, recorded and logged before they are answered.

Rules, in order:

1. Bytes that are no acceptable image, or a model that is unknown, are errors: there is nothing to decide about.
2. Everything else gets a decision. Whatever is missing, behind or failing makes it `undecided` with the reason.
3. Decision, flag, place in the review queue, messages, entries and what the generation looks like are committed in one
   transaction before the receipt is made.
4. One Idempotency-Key has one effect, and so has one place of a batch.
5. Many generations of a model take one path with one: each gets what it would get alone, an error of its own included. What
   fails for many at once is tried for each, so that no generation suffers from another.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import structlog
from PIL.Image import Image
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from services.output_gate.checks.evidence import CheckEvidence, build_results, find_evidence_of_views, view_recipe
from services.output_gate.checks.idempotency import AlreadyDecidedError, Once, OncePerKey
from services.output_gate.checks.timings import Timings
from services.output_gate.corpora import NotReadyError
from services.output_gate.flags.creation import raise_flag
from services.output_gate.gate import Gate
from services.output_gate.operation.metrics import observe_steps
from services.output_gate.results.party_names import without_names
from services.output_gate.results.schemas import CheckResult
from services.output_gate.webhooks.outbox import queue_event
from shared.canonical import canonical_json, sha256_hex
from shared.clock import utc_now
from shared.errors import ConflictError, InputError, SleeveError, UnavailableError
from shared.ids import new_id
from shared.ledger.entries import build_entry
from shared.ledger.output_bodies import CheckDecided
from shared.matching.calibration.decision import BORDERLINE, undecided
from shared.records.checks import Check, load_check
from shared.records.entry_rows import append_and_add
from shared.records.models import Model, load_model_record
from shared.records.outputs import Output, save_outputs
from shared.records.reviews import Review
from shared.vision.fingerprints import RECIPE, build_fingerprint
from shared.vision.image_decoding import decode_image
from shared.vision.views import Pixels, build_view

# Generations decided and recorded together: bounds memory, and how long one transaction holds the database.
BATCH_GENERATIONS = 64

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
        UnavailableError: the database is down or the disk full, so that nothing could be recorded.
    """
    [outcome] = check_generations(gate, model_name, [data], [key])
    if isinstance(outcome, SleeveError):
        raise outcome
    return outcome


def check_generations(
    gate: Gate, model_name: str, images: Sequence[bytes], keys: Sequence[str | None] | None = None
) -> list[Check | SleeveError]:
    """Check many generations of one model: one embedding, one search, one transaction for up to `BATCH_GENERATIONS` of them.

    Args:
        gate: index, policy and workspace.
        model_name: name or id of the model that made the images.
        images: the encoded images.
        keys: an Idempotency-Key or None for each, if the caller gave any.

    Returns:
        For each image its recorded check, or the error that `check_generation` would raise for it: InputError where the bytes
        cannot be accepted, ConflictError where its key was used for another request.

    Raises:
        InputError: images and keys differ in number.
        NotFoundError: no such model.
        UnavailableError: the database is down; the batches recorded before remain so.
    """
    given = [None] * len(images) if keys is None else list(keys)
    if len(given) != len(images):
        raise InputError(f"expected a key or none for each image, got {len(images)} images and {len(given)} keys")
    with gate.workspace.reading() as session:
        model = load_model_record(session, model_name)
    bound = [OncePerKey(key, _request_sha256(model, data)) for key, data in zip(given, images, strict=True)]
    return decide(gate, model, images, bound)


def decide(gate: Gate, model: Model, images: Sequence[bytes], bound: Sequence[Once]) -> list[Check | SleeveError]:
    """Check many generations as `check_generations`, each bound to what makes it have one effect."""
    outcomes: list[Check | SleeveError] = []
    for start in range(0, len(images), BATCH_GENERATIONS):
        part = slice(start, start + BATCH_GENERATIONS)
        outcomes += _check_batch(gate.under_policy_in_force(), model, images[part], bound[part])
    return outcomes


def _request_sha256(model: Model, data: bytes) -> str:
    return sha256_hex(canonical_json({"model": model.id, "image": sha256_hex(data)}))


@dataclass(frozen=True)
class _Asked:
    """One generation of a batch that is to be decided: where it stands, its bytes, its view, what it looks like, its bond."""

    at: int
    data: bytes
    view: Pixels
    output: Output
    once: Once
    timings: Timings


def _check_batch(gate: Gate, model: Model, images: Sequence[bytes], bound: Sequence[Once]) -> list[Check | SleeveError]:
    outcomes: dict[int, Check | SleeveError] = {}
    asked: list[_Asked] = []
    for at, (data, once) in enumerate(zip(images, bound, strict=True)):
        try:
            taken = _admit(gate, model, at, data, once)
        except (InputError, ConflictError) as error:
            outcomes[at] = error
            continue
        if isinstance(taken, Check):
            outcomes[at] = taken
        else:
            asked.append(taken)
    if asked:
        evidence = _find_evidence_or_reasons(gate, model, np.stack([one.view for one in asked]))
        storing = Timings()
        with storing.step("store"):
            _keep(gate, [one.data for one in asked])
        for one, found in zip(asked, evidence, strict=True):
            one.timings.take({**found.timings_ms, **storing.divided_by(len(asked))})
        recorded = _record_batch(gate, model, asked, evidence)
        outcomes |= {one.at: outcome for one, outcome in zip(asked, recorded, strict=True)}
    return [outcomes[at] for at in range(len(images))]


def _keep(gate: Gate, images: Sequence[bytes]) -> None:
    try:
        gate.workspace.blobs.save_many(images)
    except OSError as error:
        # Nothing is decided about what cannot be kept: a full disk, or a folder that is gone.
        raise UnavailableError(f"generations cannot be kept: {error.strerror}", code="blobs_unwritable") from error


def _admit(gate: Gate, model: Model, at: int, data: bytes, once: Once) -> Check | _Asked:
    """Decode a generation, of which only its view is kept; where what it is bound to was decided before, return that check."""
    timings = Timings()
    with timings.step("decode"):
        pixels = decode_image(data, gate.workspace.limits).pixels
        view = build_view(pixels, view_recipe(model))
    made_before = _find_made_before(gate, once)
    if made_before is not None:
        return made_before
    with timings.step("fingerprint"):
        output = _build_output(sha256_hex(data), pixels)
    return _Asked(at, data, view, output, once, timings)


def _build_output(digest: str, pixels: Image) -> Output:
    made = build_fingerprint(pixels)
    return Output(
        generation_sha256=digest,
        recipe=RECIPE,
        pixels_sha256=made.pixels_sha256,
        pdq=made.hash.value,
        quality=made.hash.quality,
    )


def _find_made_before(gate: Gate, once: Once) -> Check | None:
    with gate.workspace.reading() as session:
        made_before = once.find(session)
        return None if made_before is None else load_check(session, made_before)


def _find_evidence_or_reasons(gate: Gate, model: Model, views: Pixels) -> list[CheckEvidence]:
    try:
        return find_evidence_of_views(gate, model, views)
    except (NotReadyError, UnavailableError) as error:
        # The model or what it depends on: it would be the same for each.
        log.warning("check_undecided", model=model.id, reason=error.code, generations=len(views))
        return [CheckEvidence(undecided(error.code))] * len(views)
    except Exception as error:
        if len(views) > 1:
            log.warning("batch_divided", model=model.id, generations=len(views))
            return [_find_evidence_or_reasons(gate, model, views[at : at + 1])[0] for at in range(len(views))]
        if isinstance(error, SleeveError):
            log.warning("check_undecided", model=model.id, reason=error.code, generations=1)
            return [CheckEvidence(undecided(error.code))]
        # The gate must never clear by accident: any failure of a dependency is an undecided check, kept and logged.
        log.exception("check_failed", model=model.id)
        return [CheckEvidence(undecided("internal_error"))]


def _record_batch(
    gate: Gate, model: Model, asked: Sequence[_Asked], evidence: Sequence[CheckEvidence]
) -> list[Check | SleeveError]:
    try:
        return [*_record_all(gate, model, asked, evidence)]
    except (IntegrityError, AlreadyDecidedError):
        # What one of them is bound to was bound meanwhile, or stands in the batch twice; alone, its holder finds out.
        return [_record_alone(gate, model, *pair) for pair in zip(asked, evidence, strict=True)]


def _record_all(gate: Gate, model: Model, asked: Sequence[_Asked], evidence: Sequence[CheckEvidence]) -> list[Check]:
    recording = Timings()
    with recording.step("record"), gate.workspace.writing() as session:
        results = build_results(session, gate, model, evidence)
        checks = [_record_one(session, gate, model, *pair) for pair in zip(asked, results, strict=True)]
        save_outputs(session, [one.output for one in asked])
    for check in checks:
        observe_steps({**check.timings_ms, **recording.divided_by(len(checks))})
    return checks


def _record_alone(gate: Gate, model: Model, one: _Asked, evidence: CheckEvidence) -> Check | SleeveError:
    try:
        return _record_all(gate, model, [one], [evidence])[0]
    except (IntegrityError, AlreadyDecidedError) as failure:
        # Another request with this key was faster; its check is the answer.
        try:
            made_before = _find_made_before(gate, one.once)
        except ConflictError as error:
            return error
        if made_before is None and isinstance(failure, AlreadyDecidedError):
            return failure  # of a place that has a problem by now
        if made_before is None:
            raise
        return made_before


def _record_one(session: Session, gate: Gate, model: Model, one: _Asked, result: CheckResult) -> Check:
    check = _record(session, gate, model, one, result)
    one.once.bind(session, check.id)
    return check


def _record(session: Session, gate: Gate, model: Model, one: _Asked, result: CheckResult) -> Check:
    check_id, now, digest = new_id(), utc_now(), one.output.generation_sha256
    subject = {"check": check_id, "generation_sha256": digest}
    check = append_and_add(
        session,
        build_entry(_build_body(model, digest, result), at=now, subject=subject),
        lambda entry_id: Check(
            id=check_id,
            model_id=model.id,
            policy_id=gate.policy.id,
            generation_sha256=digest,
            decision=result.decision,
            result=without_names(result.model_dump(mode="json")),
            timings_ms=one.timings.stop(),
            entry_id=entry_id,
            created_at=now,
        ),
    )
    queue_event(session, "check.decided", build_event_data(check, result), now)
    if result.decision == "flag":
        raise_flag(session, check, result, gate.content)
    if result.reason == BORDERLINE:
        session.add(Review(subject_id=check.id, kind="check", check_id=check.id, opened_at=now))
        session.flush()
    return check


def build_event_data(check: Check, result: CheckResult) -> dict[str, Any]:
    """Build what a message says of a check."""
    fields = check.model_dump(include={"model_id", "generation_sha256", "decision"})
    return fields | {"check_id": check.id, "reason": result.reason}


def _build_body(model: Model, generation_sha256: str, result: CheckResult) -> CheckDecided:
    # Entries that came before kinds have none; nor has one without a match.
    kind = result.model_dump(include={"kind", "kind_figures"}, exclude_none=True)
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
    )
