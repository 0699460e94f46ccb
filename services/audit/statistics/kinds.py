"""Kinds of memorisation: why an item was copied, as far as a figure says so.

Rules, in order; the first that holds names the kind, and every figure is stated with it:

1. *duplicated*: the item has duplicates in the training set.
2. *overfitting*: training showed each picture so often that the slice as a whole is copied: most items of the slice are.
3. *long-tailed*: the item is an outlier of its slice: farther from its nearest other item than nine tenths of the slice are.
4. *eidetic*: none of these; the item was copied without a reason that can be measured here.
5. A figure that is missing is stated as missing, and its rule is passed over. Nothing is guessed.

Source: Emanuilov and Margoni 2024 for the kinds; Feldman 2020 for the long tail; Carlini et al. 2023 for duplicates.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from services.audit.statistics.nearest import find_nearest_other
from shared.errors import InputError

Kind = Literal["duplicated", "overfitting", "long-tailed", "eidetic"]

# More than half of a slice copied: the model has stored its slice, not some items of it.
OVERFITTED_SHARE = 0.5
# An outlier is beyond this share of its slice.
OUTLIER_QUANTILE = 0.9


@dataclass(frozen=True)
class MemorisedItem:
    """Why an item was copied, and the figures that say so.

    Attributes:
        kind: the first rule that holds.
        cluster_size: items of its duplicate cluster, itself included.
        slice_copied: share of the slice's items that are copied, 0..1.
        updates_per_image: how often training showed each picture; None for models trained elsewhere.
        outlier_quantile: share of the slice that is nearer to its nearest other item; None for a slice of one.
    """

    kind: Kind
    cluster_size: int
    slice_copied: float
    updates_per_image: float | None
    outlier_quantile: float | None


def classify(
    cluster_size: int, slice_copied: float, updates_per_image: float | None, outlier_quantile: float | None
) -> MemorisedItem:
    """Name the kind of one copied item by its figures.

    >>> classify(1, 0.1, 12.0, 0.95).kind, classify(3, 0.1, 12.0, 0.95).kind, classify(1, 0.1, 12.0, None).kind
    ('long-tailed', 'duplicated', 'eidetic')
    """
    kind: Kind = "eidetic"
    if cluster_size > 1:
        kind = "duplicated"
    elif slice_copied > OVERFITTED_SHARE:
        kind = "overfitting"
    elif outlier_quantile is not None and outlier_quantile >= OUTLIER_QUANTILE:
        kind = "long-tailed"
    return MemorisedItem(kind, cluster_size, slice_copied, updates_per_image, outlier_quantile)


def outlier_quantiles(vectors: NDArray[np.floating]) -> NDArray[np.float64] | None:
    """Say for each item of a slice which share of the slice is nearer to its nearest other item.

    Args:
        vectors: shape (N, D), embeddings of the slice.

    Returns:
        Shape (N,), 0..1; None for a slice of one, which has no other item.

    Raises:
        InputError: no item.

    >>> outlier_quantiles(np.array([[0.0], [0.1], [0.2], [9.0]])).tolist()
    [0.0, 0.0, 0.0, 0.75]
    """
    if len(vectors) == 0:
        raise InputError("expected at least one item, got none")
    if len(vectors) == 1:
        return None
    nearest = np.round(find_nearest_other(vectors), 9)
    return np.asarray(np.searchsorted(np.sort(nearest), nearest, side="left") / len(nearest), dtype=np.float64)
