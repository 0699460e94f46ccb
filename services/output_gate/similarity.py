"""The similarity metrics of pairs, as the gate answers them."""

from services.output_gate.results.schemas import Metrics
from shared.vision.similarity.metrics import measure_similarity
from shared.vision.views import Pixels


def measure_pairs(items: Pixels, generations: Pixels) -> list[Metrics]:
    """Measure how similar pictures are, pair by pair.

    Args:
        items: uint8 (N, C, H, W).
        generations: the same shape.

    Returns:
        The metrics of each pair.
    """
    metrics = measure_similarity(items, generations)
    return [Metrics(**metrics.row(at)) for at in range(len(items))]
