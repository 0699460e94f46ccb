"""Drawings for the tests of copy detection: a few coloured shapes on white, each another picture."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw


def draw(count: int, seed: int = 0) -> NDArray[np.uint8]:
    """Draw pictures, uint8 (count, 3, 64, 64); each seed draws others."""
    rng = np.random.default_rng(seed)
    return np.stack([_draw_one(rng) for _ in range(count)])


def _draw_one(rng: np.random.Generator) -> NDArray[np.uint8]:
    image = Image.new("RGB", (64, 64), "white")
    canvas = ImageDraw.Draw(image)
    for shape in (canvas.ellipse, canvas.rectangle, canvas.ellipse, canvas.rectangle, canvas.line):
        left, top = rng.integers(2, 40, 2).tolist()
        width, height = rng.integers(10, 24, 2).tolist()
        fill = tuple(rng.integers(0, 220, 3).tolist())
        shape((left, top, left + width, top + height), fill=fill)
    return np.asarray(image).transpose(2, 0, 1).copy()
