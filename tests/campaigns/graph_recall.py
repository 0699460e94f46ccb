"""How many of the true neighbours a walk of the engine's graph finds, and what it costs, by `hnsw_ef`.

Run as `python -m tests.campaigns.graph_recall`; writes docs/results/graph.json. Takes a quarter of an hour on two cores.

Rules, in order:

1. Vectors: the pixel embedder's of all the different pictures beside the project (some 14,000); and 100,000 × 512 made ones,
   along 64 directions of falling weight as descriptors are (see tests/bench/bench_index.py), and without any direction, which
   is the worst case: every vector is about equally far from every other.
2. Queries: 100 of the vectors themselves with noise, a tenth of their length, added to them.
3. The engine is asked directly, with each `hnsw_ef`; the truth is the exact product's.
"""

import json
import os
import tempfile
import uuid
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import qdrant_edge as qdrant
from numpy.typing import NDArray

from shared.index.edge_index import EdgeIndex
from shared.index.exact_neighbours import exact_neighbours
from shared.index.vector_index import IndexedItem
from shared.vision.embedders.pixels import PixelEmbedder
from tests.bench.bench_index import ITEMS, WIDTH, make_vectors
from tests.campaigns.recall_sets import load_pictures
from tests.support.paths import ROOT

DATA = Path(os.environ.get("SLEEVE_SHARED", ROOT.parent / "shared")) / "data"
RESULT = ROOT / "docs" / "results" / "graph.json"
MANIFEST = "all"
SHORTLISTS = (10, 100, 1000)
CANDIDATES = (128, 512, 1000, 1500, 2000, 3000, 4000)
QUERIES = 100
NOISE = 0.1

Rows = NDArray[np.float32]


def unit(rows: NDArray[np.floating[Any]]) -> Rows:
    """Scale rows to length 1."""
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def make_queries(corpus: Rows) -> Rows:
    """Disturb some of the vectors."""
    rng = np.random.default_rng(3)
    chosen = corpus[rng.choice(len(corpus), QUERIES, replace=False)]
    return unit(chosen + NOISE * unit(rng.normal(size=chosen.shape)))


def ask(index: EdgeIndex, query: Rows, ef: int) -> list[int]:
    """Return the places of a query's 1,000 neighbours."""
    request = qdrant.QueryRequest(
        limit=max(SHORTLISTS),
        query=qdrant.Query.Nearest(query.tolist()),
        filter=qdrant.Filter(must=[qdrant.FieldCondition("manifests", match=qdrant.MatchValue(MANIFEST))]),
        params=qdrant.SearchParams(exact=ef == 0, hnsw_ef=ef or None),
    )
    return [uuid.UUID(str(point.id)).int for point in index._shard.query(request)]


def measure(corpus: Rows) -> dict[str, Any]:
    """Build the graph over vectors and walk it."""
    queries = make_queries(corpus)
    truth, _ = exact_neighbours(queries, corpus, max(SHORTLISTS))
    with tempfile.TemporaryDirectory() as folder:
        index = EdgeIndex(Path(folder), "graph", corpus.shape[1])
        index.upsert([IndexedItem(str(uuid.UUID(int=at)), "00", (MANIFEST,)) for at in range(len(corpus))], corpus)
        start = perf_counter()
        index.optimize()
        seconds = perf_counter() - start
        by_ef = {("exact" if ef == 0 else str(ef)): walk(index, queries, truth, ef) for ef in (0, *CANDIDATES)}
        index.close()
    return {"items": len(corpus), "width": corpus.shape[1], "build_seconds": round(seconds, 1), "by_hnsw_ef": by_ef}


def walk(index: EdgeIndex, queries: Rows, truth: NDArray[np.int64], ef: int) -> dict[str, float]:
    """Recall for every shortlist, and the median time of a query."""
    milliseconds, answers = [], []
    for query in queries:
        start = perf_counter()
        answers.append(ask(index, query, ef))
        milliseconds.append(1000 * (perf_counter() - start))
    shares = {
        f"recall_{k}": round(
            float(np.mean([len({*got[:k]} & {*true[:k]}) / k for got, true in zip(answers, truth.tolist(), strict=True)])), 4
        )
        for k in SHORTLISTS
    }
    return shares | {"median_milliseconds": round(float(np.median(milliseconds)), 1)}


def main() -> None:
    """Measure and write."""
    pictures = [
        picture for name in ("dcss_tiles", "openmoji", "game_icons", "omniglot") for picture in load_pictures(DATA, name)
    ]
    corpora = {
        "real pictures, pixels:16": lambda: PixelEmbedder(16).embed(pictures),
        "made, 64 directions": lambda: make_vectors(ITEMS, 1),
        "made, no direction": lambda: unit(np.random.default_rng(1).normal(size=(ITEMS, WIDTH))),
    }
    results = {name: measure(make()) for name, make in corpora.items()}
    RESULT.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
