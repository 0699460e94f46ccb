"""The three-sample test for data copying: are generations nearer to the training set than fresh real pictures are?

Rules, in order:

1. Features of more than 64 dimensions are projected on the training set's first 64 principal components.
2. Space is cut into cells by k-means on the training set. In each cell a Mann–Whitney U test compares how far generations and
   held-out pictures are from their nearest training picture of that cell. It is standardised: z ≪ 0 is copying, z ≫ 0
   underfitting.
3. C_T is the mean of z over the cells with more than τ of the generations, weighted by the held-out pictures in them.
4. A cell without training or held-out pictures has no z. Then fewer cells are tried. One cell holds everything.

Source: Meehan, Chaudhuri, Dasgupta 2020, "A Non-Parametric Test to Detect Data-Copying in Generative Models"; constants as in
dgm-eval (Stein et al. 2023).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2, vq
from scipy.stats import mannwhitneyu

from services.audit.statistics.nearest import find_nearest
from shared.errors import InputError

# dgm-eval, metrics/ct.py: components, cells, and generations a cell needs to count.
COMPONENTS = 64
CELLS = 3
GENERATIONS_A_CELL = 20
# Starts of k-means; the tightest result is used, as in dgm-eval.
STARTS = 10

Features = NDArray[np.floating]


# Where generations are as near as held-out pictures, C_T is standard normal or narrower: above this at most once in 700 times.
FAR_ABOVE_ZERO = 3.0


@dataclass(frozen=True)
class DataCopying:
    """The test's outcome.

    Attributes:
        statistic: C_T; far below 0 is copying; None where no cell has enough generations.
        cells: z of each cell, None where it has no generation.
        weights: share of held-out pictures in each cell.
        counted: which cells have enough generations to count.
    """

    statistic: float | None
    cells: list[float | None]
    weights: list[float]
    counted: list[bool]


def three_sample_test(training: Features, held_out: Features, generations: Features, *, seed: int = 0) -> DataCopying:
    """Compare how near generations and held-out pictures are to the training set.

    Args:
        training: shape (N, D).
        held_out: shape (H, D), real pictures that were not trained on.
        generations: shape (G, D).
        seed: of k-means' starts.

    Raises:
        InputError: a sample is empty, or widths differ.
    """
    _check(training, held_out, generations)
    training, held_out, generations = _project(training, held_out, generations)
    labels = _cells(training, held_out, generations, seed)
    count = int(labels[0].max()) + 1
    cells = [
        _z_in_cell(*(sample[label == at] for sample, label in zip((training, held_out, generations), labels, strict=True)))
        for at in range(count)
    ]
    share_of_generations = np.bincount(labels[2], minlength=count) / len(generations)
    weights = np.bincount(labels[1], minlength=count) / len(held_out)
    counted = share_of_generations > GENERATIONS_A_CELL / len(generations)
    statistic = None
    if counted.any():
        z = np.array([0.0 if cell is None else cell for cell in cells])
        statistic = float(weights[counted] @ z[counted] / weights[counted].sum())
    return DataCopying(statistic, cells, weights.tolist(), counted.tolist())


def standardised_u(generated: NDArray[np.float64], held_out: NDArray[np.float64]) -> float:
    """Standardise the Mann–Whitney U of two samples of distances; negative where the first are smaller.

    >>> standardised_u(np.array([0.0, 0.1, 0.2]), np.array([1.0, 2.0, 3.0])) < -1.5
    True
    """
    n, m = len(held_out), len(generated)
    u = mannwhitneyu(generated, held_out, alternative="less").statistic
    # Mean and deviation of U under the hypothesis that both samples are alike, with the authors' continuity correction.
    mean, deviation = n * m / 2 - 0.5, np.sqrt(n * m * (n + m + 1) / 12)
    return float((u - mean) / deviation)


def _check(*samples: Features) -> None:
    if any(sample.ndim != 2 or len(sample) == 0 or sample.shape[1] != samples[0].shape[1] for sample in samples):
        raise InputError(f"expected three samples of one width, none empty, got shapes {[sample.shape for sample in samples]}")


def _project(training: Features, *others: Features) -> tuple[NDArray[np.float64], ...]:
    samples = tuple(np.asarray(sample, dtype=np.float64) for sample in (training, *others))
    if training.shape[1] <= COMPONENTS:
        return samples
    mean = samples[0].mean(axis=0)
    _, _, components = np.linalg.svd(samples[0] - mean, full_matrices=False)
    return tuple((sample - mean) @ components[:COMPONENTS].T for sample in samples)


def _cells(
    training: NDArray[np.float64], held_out: NDArray[np.float64], generations: NDArray[np.float64], seed: int
) -> list[NDArray[np.int64]]:
    """Label every picture with its cell; as many cells, up to `CELLS`, as all hold training and held-out pictures."""
    for count in range(min(CELLS, len(training)), 1, -1):
        centres = _centres(training, count, seed)
        labels = [vq(sample, centres)[0].astype(np.int64) for sample in (training, held_out, generations)]
        if all(len(np.unique(cells)) == count for cells in labels[:2]):
            return labels
    return [np.zeros(len(sample), dtype=np.int64) for sample in (training, held_out, generations)]


def _centres(training: NDArray[np.float64], count: int, seed: int) -> NDArray[np.float64]:
    """Run k-means from several starts and keep the centres with the least squared distance to their pictures."""
    random = np.random.default_rng(seed)
    attempts = [kmeans2(training, count, minit="++", rng=random, missing="warn")[0] for _ in range(STARTS)]
    losses = [float((vq(training, centres)[1] ** 2).sum()) for centres in attempts]
    return np.asarray(attempts[int(np.argmin(losses))], dtype=np.float64)


def _z_in_cell(training: NDArray[np.float64], held_out: NDArray[np.float64], generations: NDArray[np.float64]) -> float | None:
    if len(generations) == 0:
        return None
    return standardised_u(find_nearest(generations, training)[1], find_nearest(held_out, training)[1])


def is_underfitted(statistic: float | None) -> bool:
    """Say whether C_T shows generations farther from the training pictures than held-out pictures are.

    >>> is_underfitted(8.6), is_underfitted(-8.6), is_underfitted(None)
    (True, False, False)
    """
    return statistic is not None and statistic > FAR_ABOVE_ZERO
