"""Where two pictures agree and differ, drawn in colours over one of them.

Agreement is local SSIM of luma in 7 × 7 windows, at 128 px: blue where it is 1, vermilion where it is 0 or less. What is not
covered is grey.

Source of the colours: Okabe and Ito 2008, Color Universal Design, which readers with colour vision deficiencies tell apart.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage.metrics import structural_similarity

from services.output_gate.checks.evidence_sheet import AGREE, DIFFER, OUTSIDE

COMPARED_PX, LEAST_PX = 128, 16
# How much of the colour lies over the generation, so that what is compared can still be recognised.
_COVER = 0.6


def draw_agreement(generation: Image.Image, laid: Image.Image, inside: NDArray[np.bool_]) -> Image.Image:
    """Draw where a generation and what is laid over it agree.

    Args:
        generation: RGB.
        laid: RGB, of the same size.
        inside: bool (H, W), what is covered.
    """
    factor = COMPARED_PX / max(generation.size)
    size = [max(LEAST_PX, round(side * factor)) for side in generation.size]
    ours, theirs = (
        np.asarray(picture.convert("L").resize((size[0], size[1]), Image.Resampling.BICUBIC)) for picture in (generation, laid)
    )
    _, local = structural_similarity(ours, theirs, data_range=255, full=True)  # type: ignore[no-untyped-call]
    shown = Image.fromarray(np.clip(local, 0, 1).astype(np.float32)).resize(generation.size, Image.Resampling.BILINEAR)
    share = np.clip(np.asarray(shown), 0, 1)[..., None]
    colours = share * np.array(AGREE) + (1 - share) * np.array(DIFFER)
    colours[~inside] = OUTSIDE
    grey = np.asarray(generation.convert("L").convert("RGB"), dtype=np.float64)
    return Image.fromarray((_COVER * colours + (1 - _COVER) * grey).astype(np.uint8))
