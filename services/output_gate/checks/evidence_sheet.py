"""The sheet of an evidence picture: panels side by side in rows, each with its labels, and lines of text below."""

import io
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import matplotlib as mpl
from PIL import Image, ImageDraw, ImageFont

PANEL_PX, MARGIN_PX, LINE_PX = 300, 16, 19
AGREE, DIFFER, OUTSIDE = (0, 114, 178), (213, 94, 0), (160, 160, 160)
INK, PAPER, FAINT = (20, 20, 20), (255, 255, 255), (110, 110, 110)

# A picture of at most PANEL_PX a side, and the lines above it.
Panel = tuple[Image.Image, Sequence[str]]


def compose(rows: Sequence[Sequence[Panel]], below: Sequence[str]) -> Image.Image:
    """Put rows of panels on one sheet.

    Args:
        rows: at least one, each of at least one panel.
        below: lines under the last row.
    """
    labels_px, legend_px = 3 * LINE_PX, LINE_PX + 6
    row_px = labels_px + PANEL_PX + MARGIN_PX
    width_px = max(len(row) for row in rows) * (PANEL_PX + MARGIN_PX) + MARGIN_PX
    height_px = MARGIN_PX + len(rows) * row_px + legend_px + len(below) * LINE_PX + MARGIN_PX
    sheet = Image.new("RGB", (width_px, height_px), PAPER)
    draw = ImageDraw.Draw(sheet)
    for number, row in enumerate(rows):
        top_px = MARGIN_PX + number * row_px
        for at, (picture, labels) in enumerate(row):
            left_px = MARGIN_PX + at * (PANEL_PX + MARGIN_PX)
            for line, text in enumerate(labels):
                place = (left_px, top_px - 6 + line * LINE_PX)
                _write(draw, place, text, PANEL_PX, bold=line == 0, colour=INK if line == 0 else FAINT)
            sheet.paste(picture, (left_px, top_px + labels_px))
    bottom_px = MARGIN_PX + len(rows) * row_px - MARGIN_PX + 4
    _draw_legend(draw, width_px - MARGIN_PX - PANEL_PX, bottom_px)
    for line, text in enumerate(below):
        _write(draw, (MARGIN_PX, bottom_px + legend_px + line * LINE_PX), text, width_px - 2 * MARGIN_PX)
    return sheet


def _draw_legend(draw: ImageDraw.ImageDraw, left_px: int, top_px: int) -> None:
    for at, (colour, text) in enumerate(((AGREE, "agree"), (DIFFER, "differ"), (OUTSIDE, "outside the item"))):
        start_px = left_px + at * 85
        draw.rectangle((start_px, top_px + 3, start_px + 12, top_px + 15), fill=colour)
        _write(draw, (start_px + 17, top_px), text, 130, colour=FAINT)


def _write(
    draw: ImageDraw.ImageDraw,
    place: tuple[int, int],
    text: str,
    width_px: int,
    *,
    bold: bool = False,
    colour: tuple[int, int, int] = INK,
) -> None:
    font = _font("DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf")
    line = " ".join(text.split())
    if draw.textlength(line, font) > width_px:
        while line and draw.textlength(line + "…", font) > width_px:
            line = line[:-1]
        line += "…"
    draw.text(place, line, colour, font)


@lru_cache
def _font(name: str) -> ImageFont.FreeTypeFont:
    # The fonts that matplotlib, which draws the reports, brings along.
    return ImageFont.truetype(Path(mpl.get_data_path()) / "fonts" / "ttf" / name, 13)


def encode_png(picture: Image.Image) -> bytes:
    """Encode a sheet."""
    out = io.BytesIO()
    picture.save(out, "PNG", optimize=True)
    return out.getvalue()
