"""AuthPct against a naive transcription of its definition."""

import numpy as np
import pytest

from services.audit.statistics.authenticity import authentic_share
from shared.errors import InputError
from tests.unit.services.audit.statistics.samples import COPIES, FRESH, TRAINING


def naive_authentic(training: np.ndarray, generations: np.ndarray) -> int:
    count = 0
    for generation in generations:
        distances = [np.linalg.norm(generation - picture) for picture in training]
        at = int(np.argmin(distances))
        nearest_other = min(np.linalg.norm(training[at] - picture) for row, picture in enumerate(training) if row != at)
        count += nearest_other < distances[at]
    return count


@pytest.mark.parametrize("generations", [FRESH, COPIES])
def test_authenticity_is_what_its_definition_says(generations: np.ndarray) -> None:
    assert authentic_share(TRAINING, generations).hits == naive_authentic(TRAINING, generations)


def test_copies_are_not_authentic_and_fresh_pictures_mostly_are() -> None:
    assert authentic_share(TRAINING, COPIES).value < 0.05
    assert authentic_share(TRAINING, FRESH).value > 0.4


def test_one_training_picture_is_refused() -> None:
    with pytest.raises(InputError):
        authentic_share(TRAINING[:1], COPIES)
