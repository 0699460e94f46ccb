"""The evidence of a check as a picture: generation, matched item, the item laid over the generation, and where they agree.

Rules, in order:

1. The item is laid over the generation as copy detection does it: shifted, turned, zoomed, mirrored where that fits better.
2. Agreement is local SSIM of luma in 7 × 7 windows of a 128 px view: blue where it is 1, vermilion where it is 0 or less. What
   lies outside the item is grey.
3. Every part has a label, and the figures of the decision stand below. Names of owners are those on record now.
4. A picture is made anew from what is on record each time; nothing of it is kept.

Source of the colours: Okabe and Ito 2008, Color Universal Design, which readers with colour vision deficiencies tell apart.
"""

import io
from collections.abc import Sequence
from contextlib import closing
from functools import lru_cache
from pathlib import Path

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, ImageOps
from skimage.metrics import structural_similarity

from services.output_gate.checks.answers import show_check
from services.output_gate.checks.schemas import CheckAnswer
from services.output_gate.results.schemas import JudgedVariant, KindFigures
from shared.errors import CorruptStateError, NotFoundError
from shared.ledger.body_fields import MEANINGS
from shared.matching.copy_detection import CopyDetector, Detections
from shared.matching.copy_detection.copy_embedder import RECIPE as COPY_RECIPE
from shared.matching.copy_detection.match_classification import measure_turn
from shared.matching.copy_detection.orientations import build_matrix
from shared.vision.image_decoding import decode_image, decode_variants
from shared.vision.views import build_view
from shared.workspace import Workspace

PANEL_PX, MARGIN_PX, LINE_PX = 300, 16, 19
COMPARED_PX = 128
AGREE, DIFFER, OUTSIDE = (0, 114, 178), (213, 94, 0), (160, 160, 160)
INK, PAPER, FAINT = (20, 20, 20), (255, 255, 255), (110, 110, 110)
# How much of the colour lies over the generation, so that what is compared can still be recognised.
_COVER = 0.6


def draw_evidence(workspace: Workspace, check_id: str) -> bytes:
    """Draw the evidence of a check.

    Args:
        workspace: whose check it is.
        check_id: which check.

    Returns:
        A PNG.

    Raises:
        NotFoundError: no such check, it names no item, or the bytes of one of the two are gone.
        CorruptStateError: the bytes of one of the two are damaged.
    """
    answer = show_check(workspace, check_id)
    if answer.match is None:
        raise NotFoundError(f"check {check_id} names no item: {answer.reason}", code="no_match")
    generation = _load_square(workspace, answer.generation_sha256, answer.variant)
    item = _load_square(workspace, answer.match.sha256)
    detections = CopyDetector.build(build_view(item, COPY_RECIPE)[None]).detect(build_view(generation, COPY_RECIPE)[None])
    laid, inside = lay_over(item, detections)
    panels = [
        (generation, ["Generation", f"SHA-256 {answer.generation_sha256[:16]}…", f"model {answer.model}"]),
        (item, ["Matched item", f"{answer.match.dataset} / {answer.match.source_key}", _describe_owners(answer)]),
        (laid, ["Item laid over the generation", _describe_placement(detections), ""]),
        (_draw_agreement(generation, laid, inside), ["Where they agree and differ", "local SSIM of luma", ""]),
    ]
    return _encode(_compose(panels, _describe_decision(answer)))


def _load_square(workspace: Workspace, digest: str, variant: JudgedVariant | None = None) -> Image.Image:
    """Load the part of a picture that is compared, at the size in which it is shown; of several ways the one that decided."""
    data = workspace.blobs.load(digest)
    picture = decode_image(data, workspace.limits).pixels if variant is None else _decode_variant(workspace, data, variant)
    return ImageOps.fit(picture, (PANEL_PX, PANEL_PX), method=Image.Resampling.BICUBIC)


def _decode_variant(workspace: Workspace, data: bytes, variant: JudgedVariant) -> Image.Image:
    with closing(decode_variants(data, workspace.limits)) as variants:
        for shown in variants:
            if (shown.frame, shown.background) == (variant.frame, variant.background):
                return shown.pixels
    raise CorruptStateError(f"a check names frame {variant.frame} of a file that has none such", code="check_damaged")


def lay_over(item: Image.Image, detections: Detections) -> tuple[Image.Image, NDArray[np.bool_]]:
    """Draw an item as it lies in the generation, and say which pixels it covers.

    Args:
        item: RGB, square.
        detections: of the one generation, with this item as the only candidate.

    Returns:
        A picture of the item's size, and bool (H, W).
    """
    side_px = item.width
    scale, centre = side_px / COPY_RECIPE.resolution_px, (side_px - 1) / 2
    a, b, shift_x, shift_y = (float(value) for value in detections.placements[0][:4])
    # A generation is turned and mirrored before the item is placed.
    across, down = (np.array([[a, -b], [b, a]]) @ build_matrix(int(detections.orientations[0]))).tolist()
    start_x = centre + shift_x * scale - centre * (across[0] + across[1])
    start_y = centre + shift_y * scale - centre * (down[0] + down[1])
    mapping = (across[0], across[1], start_x, down[0], down[1], start_y)
    size, affine = item.size, Image.Transform.AFFINE
    laid = item.transform(size, affine, mapping, resample=Image.Resampling.BICUBIC, fillcolor=OUTSIDE)
    inside = Image.new("L", size, 255).transform(size, affine, mapping, resample=Image.Resampling.NEAREST, fillcolor=0)
    return laid, np.asarray(inside) > 0


def _draw_agreement(generation: Image.Image, laid: Image.Image, inside: NDArray[np.bool_]) -> Image.Image:
    ours, theirs = (
        np.asarray(picture.convert("L").resize((COMPARED_PX, COMPARED_PX), Image.Resampling.BICUBIC))
        for picture in (generation, laid)
    )
    _, local = structural_similarity(ours, theirs, data_range=255, full=True)  # type: ignore[no-untyped-call]
    shown = Image.fromarray(np.clip(local, 0, 1).astype(np.float32)).resize(generation.size, Image.Resampling.BILINEAR)
    share = np.clip(np.asarray(shown), 0, 1)[..., None]
    colours = share * np.array(AGREE) + (1 - share) * np.array(DIFFER)
    colours[~inside] = OUTSIDE
    grey = np.asarray(generation.convert("L").convert("RGB"), dtype=np.float64)
    return Image.fromarray((_COVER * colours + (1 - _COVER) * grey).astype(np.uint8))


def _describe_owners(answer: CheckAnswer) -> str:
    owners = answer.match.owners if answer.match else []
    return "; ".join(f"{owner.name} ({owner.role})" for owner in owners) or "owner unknown"


def _describe_placement(detections: Detections) -> str:
    a, b = (float(value) for value in detections.placements[0][:2])
    turned = measure_turn(int(detections.orientations[0]), detections.placements[0])
    words = [f"shown at {1 / max(float(np.hypot(a, b)), 1e-6):.2f} ×", f"turned by {turned:.1f}°"]
    return ", ".join([*words, "mirrored"] if bool(detections.mirrored[0]) else words)


def _describe_decision(answer: CheckAnswer) -> list[str]:
    lines = [f"{answer.decision} ({answer.reason}), check {answer.id}, {answer.decided_at}, policy {answer.policy}"]
    if answer.score is not None and answer.threshold is not None and answer.p_value is not None:
        lines.append(
            f"score by rule {answer.rule} {answer.score:.3f}, flagged above {answer.threshold:.3f}; "
            f"p-value {answer.p_value:.4f} by a control of {answer.control_size}"
        )
    if answer.kind is not None:
        lines.append(f"Kind of match: {answer.kind}, {MEANINGS[answer.kind]}{_describe_figures(answer.kind_figures)}")
    if answer.metrics is not None:
        figures = answer.metrics.model_dump(exclude={"identical"})
        values = ", ".join(f"{name.upper()} {'∞' if value is None else f'{value:.3f}'}" for name, value in figures.items())
        lines.append(f"Suite on the pair as it is, not laid over: {values}")
    return lines


def _describe_figures(figures: KindFigures | None) -> str:
    if figures is None:
        return ""
    parts = [
        f"drawings agree by {figures.agreement:.2f}",
        f"{figures.shown:.0%} of the item shown",
        f"{figures.contradicted:.0%} of it contradicted",
        f"other colours in {figures.recoloured:.0%}",
    ]
    return f" ({', '.join(parts)})"


def _compose(panels: Sequence[tuple[Image.Image, Sequence[str]]], below: Sequence[str]) -> Image.Image:
    width_px = len(panels) * (PANEL_PX + MARGIN_PX) + MARGIN_PX
    labels_px, legend_px = 3 * LINE_PX, LINE_PX + 6
    height_px = MARGIN_PX + labels_px + PANEL_PX + legend_px + len(below) * LINE_PX + MARGIN_PX
    sheet = Image.new("RGB", (width_px, height_px), PAPER)
    draw = ImageDraw.Draw(sheet)
    for at, (picture, labels) in enumerate(panels):
        left_px = MARGIN_PX + at * (PANEL_PX + MARGIN_PX)
        for line, text in enumerate(labels):
            place = (left_px, MARGIN_PX - 6 + line * LINE_PX)
            _write(draw, place, text, PANEL_PX, bold=line == 0, colour=INK if line == 0 else FAINT)
        sheet.paste(picture, (left_px, MARGIN_PX + labels_px))
    bottom_px = MARGIN_PX + labels_px + PANEL_PX + 4
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


def _encode(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG", optimize=True)
    return out.getvalue()
