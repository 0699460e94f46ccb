"""Several generations in one request: each has an outcome, at once or by a job."""

from services.output_gate.checks.answers import build_batched_answers
from services.output_gate.checks.batches import CHECKS, check_several, queue_checks
from services.output_gate.checks.job_answers import show_check_job
from services.output_gate.checks.submission import SubmittedImage
from shared.canonical import sha256_hex
from tests.support.broken_images import broken_files, palette_without_colours
from tests.support.factories import png
from tests.support.memory_gate import MemoryWorld

IMAGES = [SubmittedImage("a.png", png(1)), SubmittedImage(None, None), SubmittedImage("c.png", b"words")]


def test_each_image_has_its_outcome_and_a_key_one_batch(world: MemoryWorld) -> None:
    places = check_several(world.gate, "model-a", IMAGES, "key")
    again = check_several(world.gate, "model-a", IMAGES, "key")
    assert [place.check_id for place in places] == [place.check_id for place in again]
    answers = build_batched_answers(world.workspace, places)
    assert [answer.check and answer.check.decision for answer in answers] == ["flag", None, None]
    assert [answer.problem and answer.problem.code for answer in answers] == [None, "not_base64", "not_an_image"]
    assert [answer.name for answer in answers] == ["a.png", None, "c.png"]


def test_a_job_is_queued_once_and_says_how_far_it_is(world: MemoryWorld) -> None:
    job = queue_checks(world.workspace, "model-a", IMAGES, "key")
    assert queue_checks(world.workspace, "model-a", IMAGES, "key").id == job.id
    assert job.kind == CHECKS
    assert world.workspace.blobs.load(sha256_hex(png(1))) == png(1)
    answer = show_check_job(world.workspace, job.id)
    assert (answer.state, answer.total, answer.checks) == ("queued", 3, None)


def broken_among_good() -> list[SubmittedImage]:
    broken = [palette_without_colours(), *[data for _, data in broken_files()][::60]]
    return [SubmittedImage(None, data) for data in (png(1), *broken, png(2))]


def test_a_broken_image_has_a_problem_of_its_own_and_the_others_are_decided(world: MemoryWorld) -> None:
    images = broken_among_good()
    first, broken, *middle, last = check_several(world.gate, "model-a", images, None)
    assert first.check_id is not None
    assert last.check_id is not None
    assert broken.problem is not None
    assert broken.problem["code"] == "image_damaged"
    assert all(place.check_id is not None or place.problem is not None for place in middle)
