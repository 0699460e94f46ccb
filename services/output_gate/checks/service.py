"""Checks: generations in, decisions out, recorded and logged before they are answered.

A check goes one way: admit → search → judge → record. Rules, in order:

1. Bytes that are no acceptable image, or a model that is unknown, are errors: there is nothing to decide about.
2. Everything else gets a decision. Whatever is missing, behind or failing makes it `undecided` with the reason.
3. Decision, flag, place in the review queue, messages, entries and fingerprint are committed in one transaction before the
   receipt is made.
4. One Idempotency-Key has one effect, and so has one place of a batch.
5. Many generations of a model go this way together: each gets what it would get alone, an error of its own included. What
   fails for many at once is tried for each, so that no generation suffers from another.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import structlog
from PIL.Image import Image

from services.output_gate.checks.admission import Generation, KeySlot, Slot, admit
from services.output_gate.checks.judgement import CheckEvidence, Shown, judge
from services.output_gate.checks.recording import record, store_images
from services.output_gate.checks.search import search
from services.output_gate.checks.timings import Timings
from services.output_gate.corpora import NotReadyError
from services.output_gate.gate import Gate
from services.output_gate.results.schemas import JudgedVariant
from shared.errors import ConflictError, InputError, SleeveError, UnavailableError
from shared.matching.calibration.decision import undecided
from shared.records.checks import Check
from shared.records.models import Model, load_model_record
from shared.vision.views import Pixels, view_to_image

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
    keys = [None] * len(images) if keys is None else list(keys)
    if len(keys) != len(images):
        raise InputError(f"expected a key or none for each image, got {len(images)} images and {len(keys)} keys")
    with gate.workspace.reading() as session:
        model = load_model_record(session, model_name)
    slots = [KeySlot.for_image(key, model, data) for key, data in zip(keys, images, strict=True)]
    return check_into_slots(gate, model, images, slots)


def check_into_slots(gate: Gate, model: Model, images: Sequence[bytes], slots: Sequence[Slot]) -> list[Check | SleeveError]:
    """Check many generations as `check_generations`, each into the slot that its check fills."""
    outcomes: list[Check | SleeveError] = []
    for start in range(0, len(images), BATCH_GENERATIONS):
        part = slice(start, start + BATCH_GENERATIONS)
        outcomes += _check_batch(gate.under_policy_in_force(), model, images[part], slots[part])
    return outcomes


def _check_batch(gate: Gate, model: Model, images: Sequence[bytes], slots: Sequence[Slot]) -> list[Check | SleeveError]:
    outcomes = [_admit(gate, model, data, slot) for data, slot in zip(images, slots, strict=True)]
    generations = [outcome for outcome in outcomes if isinstance(outcome, Generation)]
    if not generations:
        return [outcome for outcome in outcomes if not isinstance(outcome, Generation)]
    evidence = [single for group in _group(generations) for single in _compare_group(gate, model, group)]
    store_ms = store_images(gate, generations)
    for generation, single in zip(generations, evidence, strict=True):
        generation.timings.add({**single.timings_ms, **store_ms})
    recorded = iter(record(gate, model, generations, evidence))
    return [next(recorded) if isinstance(outcome, Generation) else outcome for outcome in outcomes]


def _group(generations: Sequence[Generation]) -> Iterator[list[Generation]]:
    """Divide generations so that each group has no more views than a batch of plain pictures, or one generation."""
    group: list[Generation] = []
    views = 0
    for generation in generations:
        if group and views + len(generation.views) > BATCH_GENERATIONS:
            yield group
            group, views = [], 0
        group.append(generation)
        views += len(generation.views)
    yield group


def _compare_group(gate: Gate, model: Model, generations: Sequence[Generation]) -> list[CheckEvidence]:
    evidence = _compare_or_explain(gate, model, generations)
    return [_name_variant(generation, single) for generation, single in zip(generations, evidence, strict=True)]


def _name_variant(generation: Generation, evidence: CheckEvidence) -> CheckEvidence:
    """Say which frame and background decided, where the file has several."""
    if generation.is_single or evidence.item is None:
        return evidence
    frame, background = generation.sources[evidence.look]
    return replace(evidence, variant=JudgedVariant(frame=frame, background=background, judged=len(generation.sources)))


def _admit(gate: Gate, model: Model, data: bytes, slot: Slot) -> Generation | Check | SleeveError:
    try:
        return admit(gate, model, data, slot)
    except (InputError, ConflictError) as error:
        return error


def compare(
    gate: Gate, model: Model, views: Pixels, looks: Sequence[int] | None = None, wholes: Sequence[Image] | None = None
) -> list[CheckEvidence]:
    """Compare generations with what their model was trained on: search, then judge.

    Args:
        gate: index, policy and workspace.
        model: which model made them.
        views: uint8 (V, C, H, W), their views by the model's recipe, at least one.
        looks: how many of the views are of each generation, in order; one where not given.
        wholes: the whole picture of each view, at comparison size; where not given, the view is all there is of it.

    Returns:
        The evidence of each; undecided where a rule of the policy is undefined for it and none fires.

    Raises:
        NotReadyError: the model cannot be checked against yet.
        CorruptStateError: the search names an item outside the manifest.
        UnavailableError: index or database do not answer.
    """
    timings = Timings()
    with timings.step("ready"):
        ready = gate.load_ready_model(model)
    with timings.step("embed"):
        pictures = [view_to_image(view).convert("RGB") for view in views]
        vectors = gate.embedder.embed(pictures)
    with timings.step("search"):
        shortlists = search(gate, ready.corpus, vectors)
    shown = Shown(views, pictures, pictures if wholes is None else wholes, [1] * len(views) if looks is None else looks)
    evidence = judge(gate, ready, shown, shortlists, timings)
    shares = timings.divided_by(len(evidence))
    return [replace(single, timings_ms=shares) for single in evidence]


def _compare_or_explain(gate: Gate, model: Model, generations: Sequence[Generation]) -> list[CheckEvidence]:
    """Compare generations; what cannot be compared is undecided, with the reason (rules 2 and 5)."""
    try:
        looks = [len(generation.views) for generation in generations]
        wholes = [picture for generation in generations for picture in generation.pictures]
        return compare(gate, model, np.concatenate([generation.views for generation in generations]), looks, wholes)
    except (NotReadyError, UnavailableError) as error:
        # The model or what it depends on: it would be the same for each.
        log.warning("check_undecided", model=model.id, reason=error.code, generations=len(generations))
        return [CheckEvidence(undecided(error.code))] * len(generations)
    except Exception as error:
        if len(generations) > 1:
            log.warning("batch_divided", model=model.id, generations=len(generations))
            return [_compare_or_explain(gate, model, [generation])[0] for generation in generations]
        if isinstance(error, SleeveError):
            log.warning("check_undecided", model=model.id, reason=error.code, generations=1)
            return [CheckEvidence(undecided(error.code))]
        # The gate must never clear by accident: any failure of a dependency is an undecided check, kept and logged.
        log.exception("check_failed", model=model.id)
        return [CheckEvidence(undecided("internal_error"))]
