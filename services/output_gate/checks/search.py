"""The search of a check: each generation's nearest items in its model's corpus, by embedding."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.output_gate.corpora import ReadyCorpus
from services.output_gate.gate import Gate
from shared.errors import CorruptStateError


@dataclass(frozen=True)
class Shortlists:
    """The nearest items of G generations.

    Attributes:
        rows: int64 (G, K), rows of the corpus, nearest first.
        cosines: float64 (G, K), of the embeddings, -1..1.
    """

    rows: NDArray[np.int64]
    cosines: NDArray[np.float64]


def search(gate: Gate, corpus: ReadyCorpus, vectors: NDArray[np.float32]) -> Shortlists:
    """Find the items nearest to generations: among the corpus's own vectors, or in the index where it holds none.

    Args:
        gate: index and policy, which says how many neighbours.
        corpus: what is searched.
        vectors: float32 (G, D), the embeddings of the generations.

    Raises:
        CorruptStateError: the index names too few items, or one outside the corpus.
        UnavailableError: the index does not answer.
    """
    count = gate.content.neighbours
    if corpus.vectors is not None:
        rows, cosines = corpus.vectors.nearest(vectors, count)
        return Shortlists(rows, cosines.astype(np.float64))
    neighbours = gate.index.neighbours_many(vectors, count, corpus.manifest.id, exact=False)
    width = min(count, corpus.manifest.size)
    short = [len(nearest) for nearest in neighbours if len(nearest) != width]
    if short:
        raise CorruptStateError(f"search found {short[0]} of {width} items", code="search_short")
    try:
        rows = np.array([[corpus.position[item.item_id] for item in nearest] for nearest in neighbours], dtype=np.int64)
    except KeyError as error:
        raise CorruptStateError(f"search named item {error} outside the manifest", code="search_foreign_item") from error
    return Shortlists(rows, np.array([[item.cosine for item in nearest] for nearest in neighbours], dtype=np.float64))
