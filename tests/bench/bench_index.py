"""Speed of nearest neighbours at 100,000 × 512, k = 1,000, beside a plain NumPy product.

Run as `python tests/bench/bench_index.py`. Rules, in order:

1. All ways run in one process, in turns, on the same vectors; each way's best round counts, so what else the machine
   does falls on all alike. Only the ratios mean anything.
2. The reference is what anyone would write: a matrix product and `argpartition`, for one query and for a block of 64.
3. The embedded index answers the same queries within one manifest of all items, before it has a graph (exact) and after
   (both); how many of the true neighbours the graph finds stands beside its time.
4. Prints one JSON line: milliseconds a query of the references, and of each way its time as a multiple of the reference's.
"""

import json
import sys
import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[2]))

from shared.index.edge_index import EdgeIndex
from shared.index.exact_neighbours import exact_neighbours
from shared.index.vector_index import IndexedItem

ITEMS, WIDTH, NEIGHBOURS, BLOCK = 100_000, 512, 1000, 64
ROUNDS = 7
MANIFEST = "all"
# Real descriptors vary mostly along a few dozen directions; isotropic noise would have no neighbours to speak of.
DIRECTIONS = 64

Rows = NDArray[np.float32]


def make_vectors(count: int, seed: int) -> Rows:
    """Make unit vectors along random directions of falling weight (1/√i), with a little noise in all of them."""
    directions = np.random.default_rng(0).normal(size=(DIRECTIONS, WIDTH)) / np.sqrt(np.arange(1, DIRECTIONS + 1))[:, None]
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(count, DIRECTIONS)) @ directions / 8 + 0.05 * rng.normal(size=(count, WIDTH))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def product_and_argpartition(queries: Rows, corpus: Rows) -> NDArray[np.int64]:
    """Do the plain thing."""
    return np.argpartition(-(queries @ corpus.T), NEIGHBOURS - 1, axis=1)[:, :NEIGHBOURS]


def best_milliseconds(ways: dict[str, tuple[Callable[[], object], int]]) -> dict[str, float]:
    """Run the ways in turns; milliseconds a query of each one's best round."""
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(ROUNDS):
        for name, (work, queries) in ways.items():
            start = perf_counter()
            work()
            best[name] = min(best[name], 1000 * (perf_counter() - start) / queries)
    return best


def fill(folder: Path, corpus: Rows) -> tuple[EdgeIndex, float]:
    """Store the corpus; returns the index and the items stored a second."""
    index = EdgeIndex(folder, "bench", WIDTH)
    items = [IndexedItem(str(uuid.UUID(int=at)), "00", (MANIFEST,)) for at in range(len(corpus))]
    start = perf_counter()
    index.upsert(items, corpus)
    return index, len(corpus) / (perf_counter() - start)


def recall(index: EdgeIndex, queries: Rows, corpus: Rows) -> float:
    """Share of the true neighbours that a walk of the graph finds."""
    truth, _ = exact_neighbours(queries, corpus, NEIGHBOURS)
    neighbours = index.neighbours_many(queries, NEIGHBOURS, MANIFEST, exact=False)
    rows = zip(neighbours, truth.tolist(), strict=True)
    return float(
        np.mean([len({uuid.UUID(neighbour.item_id).int for neighbour in row} & {*true}) / NEIGHBOURS for row, true in rows])
    )


def main() -> None:
    """Measure and print."""
    corpus, queries = make_vectors(ITEMS, 1), make_vectors(BLOCK, 2)
    query = queries[:1]
    with tempfile.TemporaryDirectory() as folder:
        index, stored = fill(Path(folder), corpus)
        references: dict[str, tuple[Callable[[], object], int]] = {
            "single": (lambda: product_and_argpartition(query, corpus), 1),
            "block": (lambda: product_and_argpartition(queries, corpus), BLOCK),
        }
        ways: dict[str, tuple[Callable[[], object], int]] = {
            "matrix_single": (lambda: exact_neighbours(query, corpus, NEIGHBOURS), 1),
            "matrix_block": (lambda: exact_neighbours(queries, corpus, NEIGHBOURS), BLOCK),
            "edge_exact_single": (lambda: index.neighbours(query[0], NEIGHBOURS, MANIFEST, exact=True), 1),
            "edge_exact_block": (lambda: index.neighbours_many(queries, NEIGHBOURS, MANIFEST, exact=True), BLOCK),
        }
        before = best_milliseconds(references | ways)
        start = perf_counter()
        index.optimize()
        build_seconds = perf_counter() - start
        graph: dict[str, tuple[Callable[[], object], int]] = {
            "edge_graph_single": (lambda: index.neighbours(query[0], NEIGHBOURS, MANIFEST, exact=False), 1),
            "edge_graph_block": (lambda: index.neighbours_many(queries, NEIGHBOURS, MANIFEST, exact=False), BLOCK),
            "edge_exact_single_with_graph": ways["edge_exact_single"],
        }
        after = best_milliseconds(references | graph)
        share = recall(index, queries, corpus)
        index.close()
    multiple = {
        name: round(taken[name] / taken["single" if "single" in name else "block"], 2)
        for taken, chosen in ((before, ways), (after, graph))
        for name in chosen
    }
    result = {
        "items": ITEMS,
        "width": WIDTH,
        "neighbours": NEIGHBOURS,
        "numpy_milliseconds_a_query": {name: round(before[name], 2) for name in references},
        "multiple_of_numpy": multiple,
        "graph_recall": round(share, 4),
        "graph_build_seconds": round(build_seconds),
        "items_stored_per_second": round(stored),
    }
    print(json.dumps(result))  # noqa: T201


if __name__ == "__main__":
    main()
