"""Items as pictures in memory: what a detector of works compares with, where nothing is kept on disk."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared.matching.whole_picture.local_features import ComparisonSize, LocalFeatures, extract_features
from shared.matching.whole_picture.region_index import RegionIndex


class MemoryPictures:
    """A `PictureCorpus`.

    Args:
        pictures: upright RGB, any size.
        size: at which they are compared.
    """

    def __init__(self, pictures: Sequence[Image.Image], size: ComparisonSize | None = None) -> None:
        self.size = size or ComparisonSize()
        self._pictures = [self.size.resize(picture) for picture in pictures]
        self._features = [extract_features(picture) for picture in self._pictures]

    @property
    def regions(self) -> RegionIndex:
        """The index of their regions."""
        return RegionIndex.build(self._features)

    def load_features(self, row: int) -> LocalFeatures:
        """Return an item's local features."""
        return self._features[row]

    def load_picture(self, row: int) -> NDArray[np.uint8]:
        """Return an item at its comparison size, uint8 (h, w, 3)."""
        return np.asarray(self._pictures[row])
