"""Designs of a picture descriptor without weights, for the recall study; each maps pictures to rows of length 1.

The one that was chosen is `shared.vision.embedders.pixels`; the others stand here so that the choice can be repeated.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.fft import dctn
from scipy.ndimage import uniform_filter
from skimage.feature import hog

from shared.vision.embedders.pixels import PixelEmbedder

Rows = NDArray[np.float32]
Pictures = Sequence[Image.Image]
Describe = Callable[[Pictures], Rows]
# A design is fitted to the registered pictures; most ignore them.
Design = Callable[[Pictures], Describe]

# Middle of 0..255.
MIDDLE = 128.0
# RGB to Y'CbCr: ITU-R BT.601 as in JPEG (JFIF).
YCC = np.array([[0.299, 0.587, 0.114], [-0.169, -0.331, 0.5], [0.5, -0.419, -0.081]])


def small(pictures: Pictures, side_px: int) -> NDArray[np.float64]:
    """Shrink pictures, (N, n, n, 3)."""
    resized = [picture.resize((side_px, side_px), Image.Resampling.BOX) for picture in pictures]
    return np.stack([np.asarray(plane, np.float64) for plane in resized])


def unit(values: NDArray[np.float64]) -> Rows:
    """Flatten and scale to length 1."""
    rows = values.reshape(len(values), -1)
    return (rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)).astype(np.float32)


def centred(side_px: int) -> Design:
    """RGB less the picture's mean: the first version of `pixels:<n>`."""

    def describe(pictures: Pictures) -> Rows:
        rows = small(pictures, side_px).reshape(len(pictures), -1)
        return unit(rows - rows.mean(axis=1, keepdims=True))

    return lambda _: describe


def standardised(side_px: int) -> Design:
    """Each channel less its mean, by its standard deviation."""

    def describe(pictures: Pictures) -> Rows:
        planes = small(pictures, side_px)
        return unit((planes - planes.mean(axis=(1, 2), keepdims=True)) / (planes.std(axis=(1, 2), keepdims=True) + 1))

    return lambda _: describe


def luma_chroma(side_px: int, chroma: float) -> Design:
    """Luma and weighted chroma less mid-grey."""

    def describe(pictures: Pictures) -> Rows:
        return unit((small(pictures, side_px) - MIDDLE) @ YCC.T * np.array([1, chroma, chroma]))

    return lambda _: describe


def cosines(side_px: int, keep: int, power: float) -> Design:
    """The lowest DCT coefficients, weighted by frequency to a power; power 1 evens out the 1/f of natural images."""
    frequency = np.hypot(*np.meshgrid(np.arange(keep), np.arange(keep)))
    weight = np.maximum(frequency, 1) ** power

    def describe(pictures: Pictures) -> Rows:
        spectrum = dctn(small(pictures, side_px) - MIDDLE, axes=(1, 2), norm="ortho")[:, :keep, :keep]
        return unit(spectrum * weight[None, :, :, None])

    return lambda _: describe


def whitened(base: Design, width: int, power: float) -> Design:
    """Principal components of the registered pictures, divided by their spread to a power; the map depends on the set."""

    def fit(registered: Pictures) -> Describe:
        describe = base(registered)
        rows = describe(registered).astype(np.float64)
        mean = rows.mean(axis=0)
        _, spread, axes = np.linalg.svd(rows - mean, full_matrices=False)
        # Directions of almost no spread are noise; their weight stops growing at a thousandth of the largest.
        project = axes[:width].T * np.maximum(spread[:width], spread[0] * 1e-3) ** -power
        return lambda pictures: unit((describe(pictures) - mean) @ project)

    return fit


def gradients(side_px: int) -> Design:
    """Histograms of oriented gradients (Dalal and Triggs 2005) of cells of 8 px, in scikit-image's defaults."""

    def describe(pictures: Pictures) -> Rows:
        planes = small(pictures, side_px)
        return unit(np.stack([hog(plane, pixels_per_cell=(8, 8), cells_per_block=(2, 2), channel_axis=2) for plane in planes]))

    return lambda _: describe


def together(*designs: Design) -> Design:
    """Several designs side by side, each of length 1."""

    def fit(registered: Pictures) -> Describe:
        fitted = [design(registered) for design in designs]
        return lambda pictures: unit(np.concatenate([describe(pictures) for describe in fitted], axis=1).astype(np.float64))

    return fit


def locally_normalised(side_px: int, window_px: int) -> Design:
    """RGB less the local mean, by the local spread, beside the local means; without a term for flatness."""

    def describe(pictures: Pictures) -> Rows:
        planes = small(pictures, side_px)
        window = (0, window_px, window_px, 0)
        mean = uniform_filter(planes, window)
        spread = np.sqrt(np.maximum(uniform_filter(planes * planes, window) - mean * mean, 0) + 58.5)
        return unit(np.concatenate([(planes - mean) / spread, (mean - MIDDLE) / MIDDLE], axis=3))

    return lambda _: describe


def chosen(side_px: int) -> Design:
    """The embedder in use."""
    return lambda _: PixelEmbedder(side_px).embed


DESIGNS: dict[str, Design] = {
    "RGB, mean-centred, 16 px (version 1)": centred(16),
    "RGB, mean-centred, 32 px": centred(32),
    "RGB, each channel standardised, 16 px": standardised(16),
    "luma, chroma at half weight, 16 px": luma_chroma(16, 0.5),
    "DCT, lowest 8 × 8 of 32 px": cosines(32, 8, 0),
    "DCT, 16 × 16, whitened for natural images (f¹)": cosines(16, 16, 1),
    "DCT, 16 × 16, half whitened (f½)": cosines(16, 16, 0.5),
    "gradients (HOG), 32 px": gradients(32),
    "three scales, 4 + 8 + 16 px": together(centred(4), centred(8), centred(16)),
    "fitted whitening, 16 px, 256 components": whitened(luma_chroma(16, 1), 256, 1),
    "fitted half whitening, 16 px, 256 components": whitened(luma_chroma(16, 1), 256, 0.5),
    "local normalisation and means, RGB, 16 px": locally_normalised(16, 5),
    "SSIM's terms, 8 px": chosen(8),
    "SSIM's terms, 16 px (chosen)": chosen(16),
    "SSIM's terms, 24 px": chosen(24),
    "fitted half whitening of SSIM's terms, 256": whitened(chosen(16), 256, 0.25),
}
