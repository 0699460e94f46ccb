"""The evidence of works in a whole picture, a row for each: its place outlined, the work, the work laid over, agreement.

Rules, in order:

1. The generation is shown whole. The place of the row's work is outlined in full colour, those of other works faintly; each
   has its number.
2. The work is laid over the generation by the placement on record. Where they agree is drawn by `local_agreement`.
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageOps

from services.output_gate.checks.evidence_sheet import AGREE, DIFFER, OUTSIDE, PANEL_PX, PAPER, Panel
from services.output_gate.checks.local_agreement import draw_agreement
from services.output_gate.results.schemas import MatchedItem, ShownWork

# Works that get a row; all are named in the answer.
MOST_ROWS = 6
_LINE_PX, _FAINT_LINE_PX = 4, 2
_BACKGROUND = (245, 245, 245)


def draw_work_rows(
    generation: Image.Image, works: Sequence[tuple[ShownWork, Image.Image]], labels: Sequence[str]
) -> list[list[Panel]]:
    """Draw a row of panels for each work.

    Args:
        generation: upright RGB, whole.
        works: each with its picture, upright RGB, whole; at most the first `MOST_ROWS` are drawn.
        labels: of the generation.
    """
    page = ImageOps.contain(generation, (PANEL_PX, PANEL_PX), Image.Resampling.BICUBIC)
    shown = works[:MOST_ROWS]
    return [_draw_row(page, [work for work, _ in shown], number, picture, labels) for number, (_, picture) in enumerate(shown)]


def _draw_row(
    page: Image.Image, works: Sequence[ShownWork], number: int, picture: Image.Image, labels: Sequence[str]
) -> list[Panel]:
    work = works[number]
    laid, inside = lay_work_over(page, picture, work)
    item = ImageOps.contain(picture, (PANEL_PX, PANEL_PX), Image.Resampling.BICUBIC)
    matched = work.matched
    return [
        (_center(_outline(page, works, number)), labels),
        (_center(item), [f"Work {number + 1}", f"{matched.dataset} / {matched.source_key}", describe_owners(matched)]),
        (_center(laid), ["Work laid over the generation", _describe_place(work), f"{work.features} local features agree"]),
        (
            _center(draw_agreement(page, laid, inside)),
            [
                "Where they agree and differ",
                f"local SSIM of luma; {work.kind}",
                f"score {work.score:.2f}, p-value {work.p_value:.4f}{'' if work.fired else ', does not fire'}",
            ],
        ),
    ]


def lay_work_over(page: Image.Image, picture: Image.Image, work: ShownWork) -> tuple[Image.Image, np.ndarray]:
    """Draw a work as it lies in a generation, and say which pixels it covers.

    Args:
        page: the generation, RGB.
        picture: the work, RGB.
        work: with its placement.

    Returns:
        A picture of the page's size, and bool (H, W).
    """
    placement = np.vstack([np.array(work.placement).reshape(2, 3), [0, 0, 1]])
    # From the page's px to the work's.
    back = np.diag([*picture.size, 1.0]) @ np.linalg.inv(placement) @ np.diag([1 / page.width, 1 / page.height, 1.0])
    mapping = tuple(back[:2].ravel().tolist())
    zoom = float(np.sqrt(abs(np.linalg.det(back[:2, :2]))))
    if zoom > 1.5:
        # Reduced before: a transform alone would skip pixels.
        picture = picture.resize(
            (max(1, round(picture.width / zoom)), max(1, round(picture.height / zoom))), Image.Resampling.BOX
        )
        return lay_work_over(page, picture, work)
    laid = page.copy()
    drawn = picture.transform(page.size, Image.Transform.AFFINE, mapping, Image.Resampling.BICUBIC, fillcolor=OUTSIDE)
    inside = Image.new("L", picture.size, 255).transform(page.size, Image.Transform.AFFINE, mapping, fillcolor=0)
    laid.paste(OUTSIDE, (0, 0, *page.size))
    laid.paste(drawn, (0, 0), inside)
    return laid, np.asarray(inside) > 0


def _outline(page: Image.Image, works: Sequence[ShownWork], number: int) -> Image.Image:
    outlined = page.copy()
    draw = ImageDraw.Draw(outlined)
    for at, work in enumerate(works):
        corners = [(x * page.width, y * page.height) for x, y in work.region]
        if len(corners) < 3:
            continue
        colour, width = (DIFFER, _LINE_PX) if at == number else (AGREE, _FAINT_LINE_PX)
        draw.line([*corners, corners[0]], fill=colour, width=width, joint="curve")
        draw.text((corners[0][0] + 5, corners[0][1] + 3), str(at + 1), fill=colour, stroke_width=2, stroke_fill=PAPER)
    return outlined


def _center(picture: Image.Image) -> Image.Image:
    panel = Image.new("RGB", (PANEL_PX, PANEL_PX), _BACKGROUND)
    panel.paste(picture, ((PANEL_PX - picture.width) // 2, (PANEL_PX - picture.height) // 2))
    return panel


def describe_owners(item: MatchedItem) -> str:
    """Name the owners of an item in one line."""
    return "; ".join(f"{owner.name} ({owner.role})" for owner in item.owners) or "owner unknown"


def _describe_place(work: ShownWork) -> str:
    return f"{work.share_of_item:.0%} of the work on {work.share_of_generation:.0%} of the picture"
