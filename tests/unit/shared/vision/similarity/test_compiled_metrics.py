"""The compiled metrics of one pair are those of the metrics' own files."""

import numpy as np
import pytest
import torch

from shared.vision.similarity.metrics import METRICS, measure_similarity
from tests.unit.shared.vision.similarity.pictures import noisy


@pytest.mark.parametrize("shape", [(8, 8, 1), (8, 13, 3), (33, 20, 3), (390, 400, 1)])
def test_the_compiled_metrics_are_those_of_their_own_modules(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(1)
    x = rng.integers(0, 256, shape).astype(np.uint8)
    x[: shape[0] // 2, :3] = 0
    y = noisy(x, 30)
    y[:2] = x[:2]
    x_batch, y_batch = (torch.from_numpy(image.transpose(2, 0, 1)[None].copy()) for image in (x, y))
    compiled, reference = measure_similarity(x_batch, y_batch), measure_similarity(x_batch.double(), y_batch.double())
    for name in METRICS:
        np.testing.assert_allclose(getattr(compiled, name), getattr(reference, name), rtol=0, atol=1e-11, err_msg=name)
