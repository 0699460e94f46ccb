"""The evidence of works as a picture: a row for each, its outline and the work where they lie in the generation."""

import io

import numpy as np
from PIL import Image

from services.output_gate.checks.evidence_image import draw_evidence
from services.output_gate.checks.evidence_sheet import PANEL_PX
from services.output_gate.checks.evidence_works import lay_work_over
from services.output_gate.checks.service import check_generation
from services.output_gate.results.schemas import MatchedItem, ShownWork
from shared.workspace import Workspace
from tests.support.factories import encode
from tests.support.memory_gate import build_memory_world
from tests.unit.shared.matching.whole_picture.pictures import load_photograph

MATCHED = MatchedItem(
    id="item", dataset="works", source_key="one", sha256="0" * 64, title=None, licence="CC0-1.0", licence_url=None,
    source_url=None, state="active", contested=False, owners=[],
)  # fmt: skip


def build_work(placement: list[float]) -> ShownWork:
    return ShownWork(
        item="item", fired=True, score=1.0, p_value=0.01, kind="transformed", region=[], share_of_generation=0.25,
        share_of_item=1.0, agreement=1.0, features=9, placement=placement, matched=MATCHED,
    )  # fmt: skip


def test_a_work_is_laid_where_its_placement_says() -> None:
    page, picture = Image.new("RGB", (200, 100), "black"), Image.new("RGB", (400, 400), "red")
    laid, inside = lay_work_over(page, picture, build_work([0.5, 0, 0.25, 0, 0.5, 0.5]))
    expected = np.zeros((100, 200), bool)
    expected[50:100, 50:150] = True
    assert (inside != expected).mean() < 0.02
    assert np.asarray(laid)[75, 100].tolist() == [255, 0, 0]
    assert np.asarray(laid)[10, 10].tolist() == [160, 160, 160]


def test_each_work_has_a_row(workspace: Workspace) -> None:
    world = build_memory_world(
        workspace, pictures=[load_photograph(name) for name in ("astronaut", "chelsea", "coffee")], rule="works"
    )
    page = load_photograph("rocket").resize((960, 480))
    for name, box in (("chelsea", (10, 20, 340, 240)), ("coffee", (560, 200, 920, 440))):
        page.paste(load_photograph(name).resize((box[2] - box[0], box[3] - box[1])), box[:2])
    check = check_generation(world.gate, "model-a", encode(page))
    sheet = Image.open(io.BytesIO(draw_evidence(world.workspace, check.id)))
    assert sheet.width > 4 * PANEL_PX
    assert 2 * PANEL_PX < sheet.height < 3 * PANEL_PX
    # Vermilion of the outline lies in the first panel of each row.
    vermilion = (np.abs(np.asarray(sheet.convert("RGB")).astype(int) - (213, 94, 0)).sum(axis=2) < 30)[:, :PANEL_PX]
    assert vermilion[: sheet.height // 2].sum() > 100
    assert vermilion[sheet.height // 2 : -100].sum() > 100
