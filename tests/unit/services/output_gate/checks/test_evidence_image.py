"""The evidence of a check as a picture."""

import io

import pytest
from PIL import Image

from services.output_gate.checks.evidence_image import draw_evidence
from services.output_gate.checks.evidence_sheet import PANEL_PX
from services.output_gate.checks.service import check_generation
from shared.errors import NotFoundError
from tests.support.factories import encode, picture, png
from tests.support.memory_gate import MemoryWorld


def test_a_match_is_drawn_the_same_each_time(world: MemoryWorld) -> None:
    check = check_generation(world.gate, "model-a", png(2))
    sheet = draw_evidence(world.workspace, check.id)
    assert Image.open(io.BytesIO(sheet)).width > 4 * PANEL_PX
    assert draw_evidence(world.workspace, check.id) == sheet


def test_the_frame_that_decided_is_drawn(world: MemoryWorld) -> None:
    data = encode(picture(5_000), save_all=True, append_images=[picture(2)])
    sheet = Image.open(io.BytesIO(draw_evidence(world.workspace, check_generation(world.gate, "model-a", data).id)))
    single = Image.open(io.BytesIO(draw_evidence(world.workspace, check_generation(world.gate, "model-a", png(2)).id)))
    box = (0, 80, PANEL_PX, PANEL_PX)
    assert sheet.crop(box).tobytes() == single.crop(box).tobytes()


def test_without_a_match_there_is_no_picture(world: MemoryWorld) -> None:
    world.gate.index.remove([world.items[0].id])
    check = check_generation(world.gate, "model-a", png(2))
    with pytest.raises(NotFoundError) as caught:
        draw_evidence(world.workspace, check.id)
    assert caught.value.code == "no_match"
