"""Pictures for tests of whole pictures: photographs bundled with scikit-image."""

from functools import cache

import skimage.data
from PIL import Image

from shared.matching.whole_picture.local_features import ComparisonSize

SIZE = ComparisonSize()


@cache
def load_photograph(name: str) -> Image.Image:
    """Return a bundled photograph at its comparison size: `astronaut`, `chelsea`, `coffee`, `rocket`."""
    return SIZE.resize(Image.fromarray(getattr(skimage.data, name)()).convert("RGB"))
