"""The registry of outputs: what this gate saw, and what it said."""

import pytest

from services.output_gate.checks.service import check_generation
from services.output_gate.registry.service import OutputSearch
from shared.errors import InputError
from tests.support.factories import encode, picture, png
from tests.support.memory_gate import MemoryWorld


def test_a_picture_is_found_by_bytes_pixels_and_likeness(world: MemoryWorld) -> None:
    check = check_generation(world.gate, "model-a", png(12_345, 256))
    search = OutputSearch(world.workspace)
    shown = picture(12_345, 256)
    copies = png(12_345, 256), encode(shown, "WEBP", lossless=True), encode(shown, "JPEG", quality=85)
    answers = [search.search(data, 31, 10) for data in copies]
    assert [[match.kind for match in answer.matches] for answer in answers] == [["exact"], ["pixels"], ["perceptual"]]
    assert [summary.id for summary in answers[0].matches[0].checks] == [check.id]
    unseen = search.search(png(777, 256), 31, 10)
    assert (unseen.seen, unseen.searched.generations) == (False, 1)
    with pytest.raises(InputError):
        search.search(b"words", 31, 10)
