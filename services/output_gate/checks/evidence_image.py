"""The evidence of a check as a picture: generation, matched item, the item laid over the generation, and where they agree.

Rules, in order:

1. Where the rule of works decided, each work is shown in the whole picture (`evidence_works`). Else the item is laid over the
   generation's centre as copy detection does it: shifted, turned, zoomed, mirrored where that fits better.
2. Where they agree is drawn by `local_agreement`.
3. Every part has a label, and the figures of the decision stand below. Names of owners are those on record now.
4. A picture is made anew from what is on record each time; nothing of it is kept.
"""

from contextlib import closing

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from services.output_gate.checks.answers import show_check
from services.output_gate.checks.evidence_sheet import OUTSIDE, PANEL_PX, Panel, compose, encode_png
from services.output_gate.checks.evidence_works import MOST_ROWS, describe_owners, draw_work_rows
from services.output_gate.checks.local_agreement import draw_agreement
from services.output_gate.checks.schemas import CheckAnswer
from services.output_gate.gate import WORKS
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
    if answer.rule == WORKS and answer.works:
        return encode_png(compose(_draw_works(workspace, answer), describe_decision(answer)))
    generation = _load_square(workspace, answer.generation_sha256, answer.variant)
    item = _load_square(workspace, answer.match.sha256)
    detections = CopyDetector.build(build_view(item, COPY_RECIPE)[None]).detect(build_view(generation, COPY_RECIPE)[None])
    laid, inside = lay_over(item, detections)
    panels = [
        (generation, _describe_generation(answer)),
        (item, ["Matched item", f"{answer.match.dataset} / {answer.match.source_key}", describe_owners(answer.match)]),
        (laid, ["Item laid over the generation", _describe_placement(detections), ""]),
        (draw_agreement(generation, laid, inside), ["Where they agree and differ", "local SSIM of luma", ""]),
    ]
    return encode_png(compose([panels], describe_decision(answer)))


def _draw_works(workspace: Workspace, answer: CheckAnswer) -> list[list[Panel]]:
    generation = _load(workspace, answer.generation_sha256, answer.variant)
    works = [(work, _load(workspace, work.matched.sha256)) for work in answer.works[:MOST_ROWS]]
    return draw_work_rows(generation, works, _describe_generation(answer))


def _describe_generation(answer: CheckAnswer) -> list[str]:
    return ["Generation", f"SHA-256 {answer.generation_sha256[:16]}…", f"model {answer.model}"]


def _load(workspace: Workspace, digest: str, variant: JudgedVariant | None = None) -> Image.Image:
    """Load a picture, whole; of several ways in which it is shown the one that decided."""
    data = workspace.blobs.load(digest)
    return decode_image(data, workspace.limits).pixels if variant is None else _decode_variant(workspace, data, variant)


def _load_square(workspace: Workspace, digest: str, variant: JudgedVariant | None = None) -> Image.Image:
    """Load the part of a picture that views show, at the size in which it is drawn."""
    return ImageOps.fit(_load(workspace, digest, variant), (PANEL_PX, PANEL_PX), method=Image.Resampling.BICUBIC)


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


def _describe_placement(detections: Detections) -> str:
    a, b = (float(value) for value in detections.placements[0][:2])
    turned = measure_turn(int(detections.orientations[0]), detections.placements[0])
    words = [f"shown at {1 / max(float(np.hypot(a, b)), 1e-6):.2f} ×", f"turned by {turned:.1f}°"]
    return ", ".join([*words, "mirrored"] if bool(detections.mirrored[0]) else words)


def describe_decision(answer: CheckAnswer) -> list[str]:
    """Say in lines what was decided, and by what."""
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
