"""Several generations in one request: decided one by one, each with an outcome of its own; at once, or later by a job.

Rules, in order:

1. What was handed in is durable, with a place for each image, before the first is decided and before a job is acknowledged.
2. A place gets a check, or the problem that its image has by itself; the others go on. A database that is down ends the
   request or the attempt, and whoever goes on decides only what has no outcome.
3. A job has the id of its batch.
4. Bytes that a job finds missing or damaged were whole when they were handed in: nothing is wrong with the image. The job
   decides the others and tries again until the bytes are back, or until it is cancelled.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

import structlog
from sqlmodel import Session, col, select

from services.output_gate.checks.admission import OPERATION, PlaceSlot
from services.output_gate.checks.service import check_into_slots
from services.output_gate.checks.submission import SubmittedImage
from services.output_gate.gate import Gate
from shared.auth.caller import current_caller
from shared.canonical import sha256_hex
from shared.clock import utc_now
from shared.errors import CorruptStateError, InputError, NotFoundError, SleeveError
from shared.http.problem_details import describe_error
from shared.idempotency import once
from shared.ids import new_id
from shared.jobs.kind import JobKind
from shared.jobs.run import JobPutOffError, JobRun
from shared.records.batches import BatchedCheck, load_batch, save_outcome
from shared.records.bulk_insert import in_chunks
from shared.records.checks import Check
from shared.records.jobs import Job, add_job, load_job
from shared.records.models import Model, load_model_record
from shared.workspace import Workspace

CHECKS = "checks"
REFUSED = "refused"
# Images that a job decides about together: what a killed one does again at most, and what the engine shares its passes among.
STEP_IMAGES = 16
# How long a job waits for bytes that are to be restored before it looks again.
RETRY = timedelta(seconds=30)

log = structlog.get_logger()


def check_several(gate: Gate, model_name: str, images: Sequence[SubmittedImage], key: str | None) -> list[BatchedCheck]:
    """Check several generations now.

    Args:
        gate: index, policy and workspace.
        model_name: name or id of the model that made them.
        images: the encoded images.
        key: an Idempotency-Key; a request that is sent again with it goes on where the first one ended.

    Returns:
        What became of each, in order.

    Raises:
        NotFoundError: no such model.
        ConflictError: the key was used for another request.
        UnavailableError: the database is down; what was decided is on record.
    """
    model = _load_model(gate.workspace, model_name)
    batch_id = _accept(gate.workspace, model, images, key, later=False)
    with gate.workspace.reading() as session:
        places = load_batch(session, batch_id)
    waiting = [(place, image.data) for place, image in zip(places, images, strict=True) if image.data is not None]
    _decide_places(gate, model, [(place, data) for place, data in waiting if _is_open(place)])
    with gate.workspace.reading() as session:
        return load_batch(session, batch_id)


def queue_checks(workspace: Workspace, model_name: str, images: Sequence[SubmittedImage], key: str | None) -> Job:
    """Have generations checked by a job; durable on return.

    Raises:
        NotFoundError: no such model.
        ConflictError: the key was used for another request.
        UnavailableError: the database is down.
    """
    model = _load_model(workspace, model_name)
    for image in images:
        if image.data is not None and len(image.data) <= workspace.limits.max_bytes:
            workspace.blobs.save(image.data)
    job_id = _accept(workspace, model, images, key, later=True)
    with workspace.reading() as session:
        return load_job(session, job_id)


def _accept(workspace: Workspace, model: Model, images: Sequence[SubmittedImage], key: str | None, *, later: bool) -> str:
    """Put a batch on record, and return its id; the first one's, where the key was used before."""
    key_id = current_caller().key_id or None

    def act(session: Session) -> str:
        work = {"model": model.id, "images": len(images)}
        batch_id = add_job(session, CHECKS, work, key_id=key_id).id if later else new_id()
        session.add_all(_build_place(workspace, batch_id, position, image) for position, image in enumerate(images))
        session.flush()
        return batch_id

    request = {"model": model.id, "images": [_digest(image) for image in images], "later": later}
    return once(workspace, OPERATION, key, request, act).resource_id


def _build_place(workspace: Workspace, batch_id: str, position: int, image: SubmittedImage) -> BatchedCheck:
    place = BatchedCheck(batch_id=batch_id, position=position, name=image.name)
    if image.data is None:
        place.problem = describe_error(InputError("expected the file in base64 (RFC 4648 section 4)", code="not_base64"))
    elif len(image.data) > workspace.limits.max_bytes:
        detail = f"image file too large: expected at most {workspace.limits.max_bytes:,} bytes, got more"
        place.problem = describe_error(InputError(detail, code="image_too_large"))
    else:
        place.generation_sha256 = sha256_hex(image.data)
    return place


def _decide_places(gate: Gate, model: Model, places: Sequence[tuple[BatchedCheck, bytes]]) -> list[str]:
    """Decide about images together, put on record what became of each, and say it in a word."""
    slots = [PlaceSlot(place.batch_id, place.position) for place, _ in places]
    words = []
    for (place, _), outcome in zip(places, check_into_slots(gate, model, [data for _, data in places], slots), strict=True):
        if isinstance(outcome, SleeveError):
            _refuse(gate.workspace, place, outcome)
        words.append(REFUSED if isinstance(outcome, SleeveError) else outcome.decision)
    return words


def _refuse(workspace: Workspace, place: BatchedCheck, error: SleeveError) -> None:
    with workspace.writing() as session:
        save_outcome(session, place.batch_id, place.position, problem=describe_error(error))


def run_check_job(gate: Gate, run: JobRun) -> None:
    """Decide about the images of a batch that have no outcome yet.

    Raises:
        UnavailableError: the database is down.
        JobStoppedError: the worker is to stop.
        JobPutOffError: bytes of some images are missing; what could be decided is on record.
    """
    workspace = gate.workspace
    with workspace.reading() as session:
        model = load_model_record(session, run.job.request["model"])
        places = load_batch(session, run.job.id)
        counts = _count_outcomes(session, places)
    waiting = [place for place in places if _is_open(place)]
    done = len(places) - len(waiting)
    run.save_progress(done, len(places), counts)
    for start in range(0, len(waiting), STEP_IMAGES):
        words = _decide_kept(gate, model, waiting[start : start + STEP_IMAGES])
        counts.update(words)
        done += len(words)
        run.save_progress(done, len(places), counts)
    if done < len(places):
        log.warning("check_job_waits", job=run.job.id, images=len(places) - done, code="blobs_missing")
        raise JobPutOffError(utc_now() + RETRY)


def _decide_kept(gate: Gate, model: Model, places: Sequence[BatchedCheck]) -> list[str]:
    """Decide about images that are kept as blobs, as far as they can be read; say in a word what became of each."""
    readable = []
    for place in places:
        try:
            readable.append((place, gate.workspace.blobs.load(place.generation_sha256 or "")))
        except (NotFoundError, CorruptStateError) as error:
            log.warning("check_waits_for_bytes", image=place.generation_sha256, code=error.code)
    return _decide_places(gate, model, readable)


def _count_outcomes(session: Session, places: Sequence[BatchedCheck]) -> Counter[str]:
    counts = Counter({REFUSED: sum(place.problem is not None for place in places)})
    for chunk in in_chunks([place.check_id for place in places if place.check_id is not None]):
        counts.update(session.exec(select(Check.decision).where(col(Check.id).in_(chunk))))
    return +counts


def _is_open(place: BatchedCheck) -> bool:
    return place.check_id is None and place.problem is None


def _digest(image: SubmittedImage) -> str | None:
    return None if image.data is None else sha256_hex(image.data)


def _load_model(workspace: Workspace, name: str) -> Model:
    with workspace.reading() as session:
        return load_model_record(session, name)


CHECK_JOBS = (JobKind(CHECKS, "checks:write", "outputs:read", run_check_job),)
