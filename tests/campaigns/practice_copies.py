"""Practice copies at native size, which the descriptor of regions is fitted on. The benchmark judges by other ways.

Each copy is zoomed into or shrunk onto another picture, turned and stretched at random; then some of these changes are made:
fewer pixels, box blur, exposure, saturation, grain, a cover, fewer levels. They are of the same kinds as some judged ways and
not the same operations.
"""

import numpy as np
from PIL import Image, ImageFilter, ImageOps

from tests.campaigns.photograph_transforms import BICUBIC, Numbers, Random

# How much of each side a crop keeps, and to what share of its frame a shrunk copy comes.
_CROP, _SHRINK = (0.3, 1.0), (0.3, 0.9)
_MOST_TURN, _MOST_STRETCH = np.radians(20), 0.45


def build_practice_copy(picture: Image.Image, other: Image.Image, rng: Random) -> tuple[Image.Image, Numbers]:
    """Make one copy.

    Args:
        picture: RGB.
        other: RGB; a shrunk copy lies on it.
        rng: decides everything random.

    Returns:
        The copy, and the map from a position of the picture to one of the copy, float64 (2, 3), px, edges at whole numbers.
    """
    frame, middle = np.array(picture.size, np.float64), np.array(picture.size) / 2
    kind = rng.random()
    zoom = 1.0 if kind < 0.25 else rng.uniform(*_CROP) if kind < 0.7 else 1 / rng.uniform(*_SHRINK)
    turn = rng.uniform(-_MOST_TURN, _MOST_TURN) if rng.random() < 0.4 else 0.0
    stretch = np.exp(rng.uniform(-_MOST_STRETCH, _MOST_STRETCH) / 2) if rng.random() < 0.25 else 1.0
    linear = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) @ np.diag(
        [zoom * stretch, zoom / stretch]
    )
    # A crop lies anywhere in the picture; a shrunk copy anywhere in its frame.
    shift = rng.uniform(-1, 1, 2) * abs(1 - zoom) * frame / 2
    back = np.column_stack([linear, middle + shift - linear @ middle])
    shown = picture.transform(picture.size, Image.Transform.AFFINE, back.ravel().tolist(), BICUBIC)
    mask = Image.new("L", picture.size, 255).transform(picture.size, Image.Transform.AFFINE, back.ravel().tolist())
    copy = Image.composite(shown, ImageOps.fit(other, picture.size, BICUBIC), mask)
    copy = _spoil(copy, rng)
    forth = np.linalg.inv(linear)
    scale = np.diag(np.array(copy.size) / frame)
    return copy, scale @ np.column_stack([forth, -forth @ back[:, 2]])


def _spoil(copy: Image.Image, rng: Random) -> Image.Image:
    size = copy.size
    if rng.random() < 0.4:
        share = rng.uniform(0.2, 0.8)
        copy = copy.resize((max(8, int(size[0] * share)), max(8, int(size[1] * share))), Image.Resampling.BOX)
        if rng.random() < 0.5:
            copy = copy.resize(size, Image.Resampling.BILINEAR)
    if rng.random() < 0.4:
        copy = copy.filter(ImageFilter.BoxBlur(rng.uniform(0, copy.width / 40)))
    pixels = np.asarray(copy, np.float64)
    if rng.random() < 0.4:
        pixels = pixels * rng.uniform(0.55, 1.6)
    if rng.random() < 0.3:
        grey = pixels.mean(axis=2, keepdims=True)
        pixels = grey + (pixels - grey) * rng.uniform(0, 2)
    if rng.random() < 0.3:
        pixels = pixels + rng.normal(0, rng.uniform(0, 20), pixels.shape)
    if rng.random() < 0.3:
        pixels = pixels.copy()
        width, height = (int(side * rng.uniform(0.2, 0.6)) for side in copy.size)
        left, top = rng.integers(copy.width - width + 1), rng.integers(copy.height - height + 1)
        pixels[top : top + height, left : left + width] = rng.integers(0, 256, 3)
    if rng.random() < 0.2:
        pixels = np.rint(pixels / 32) * 32
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
