"""The findings of an audit as Parquet files beside `audit.json`, for whoever wants to count for themselves.

Rules, in order:

1. `results.parquet`: one row for each generation and rule, in that order, with the metrics of the generation's best pair.
   `audit.json` names its SHA-256, so that the log vouches for it too.
2. `pairs.parquet`, where it is asked for: one row for each generation and item of its shortlist, nearest first. It can be made
   again from the same inputs at any time. So it names `audit.json` (key `audit_sha256` of its metadata), not the reverse.
3. The same findings give the same bytes with the same version of pyarrow. They hold no time and no path.
"""

import io
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from services.audit.comparison.matching import Corpus, Matched
from shared.canonical import sha256_hex
from shared.files import TEMPORARY_PREFIX, sync_folder
from shared.matching.panel.panel import RuleResult
from shared.matching.ssim_search.best_ssim import pairwise_ssim
from shared.vision.similarity.metrics import METRICS

RESULTS_FILE, PAIRS_FILE = "results.parquet", "pairs.parquet"
# Generations scored and written at a time: 256,000 rows of a shortlist of 1,000.
BLOCK_GENERATIONS = 256


def _column(name: str, kind: pa.DataType, text: str, *, nullable: bool = False) -> pa.Field:
    return pa.field(name, kind, nullable=nullable, metadata={"description": text})


RESULT_COLUMNS = pa.schema(
    [
        _column("generation", pa.int32(), "position of the generation among those drawn, from 0"),
        _column("seed", pa.int64(), "its seed"),
        _column("copy", pa.bool_(), "whether the audit counts it as a copy"),
        _column("p_value", pa.float64(), "of its best SSIM, by the control"),
        _column("best_item", pa.string(), "item of its best SSIM"),
        *(_column(name, pa.float64(), f"{name.upper()} of that pair; null is +infinity", nullable=True) for name in METRICS),
        _column("rule", pa.string(), "name of the rule that this row is of"),
        _column("verdict", pa.string(), "fired, not_fired or undefined"),
        _column("score", pa.float64(), "by the rule; null where it is undefined", nullable=True),
        _column("threshold", pa.float64(), "of the rule"),
        _column("fires", pa.string(), "side of the threshold on which the rule fires: above, below, at_most, at_least"),
        _column("item", pa.string(), "item that the score belongs to; null where it is undefined", nullable=True),
        _column("reason", pa.string(), "why the rule is undefined; null where it is not", nullable=True),
    ]
)
PAIR_COLUMNS = pa.schema(
    [
        _column("generation", pa.int32(), "position of the generation, from 0"),
        _column("rank", pa.int32(), "place in its shortlist by embedding, nearest is 0"),
        _column("item", pa.dictionary(pa.int32(), pa.string()), "the item"),
        _column("cosine", pa.float64(), "similarity of the embeddings"),
        _column("ssim", pa.float64(), "SSIM of the views"),
    ]
)


def build_results(content: dict[str, Any], panel: Sequence[RuleResult]) -> bytes:
    """Build `results.parquet`.

    Args:
        content: of `audit.json`, for its generations and rules.
        panel: outcomes of all rules, for the reasons where one is undefined.
    """
    rules = {rule["name"]: rule for rule in content["rules"]}
    rows = [
        {
            "generation": generation["index"],
            "seed": generation["seed"],
            "copy": generation["copy"],
            "p_value": generation["p_value"],
            "best_item": generation["item"],
            **{name: generation["metrics"][name] for name in METRICS},
            "rule": outcome.rule.name,
            **generation["rules"][outcome.rule.name],
            "threshold": outcome.rule.threshold,
            "fires": rules[outcome.rule.name]["fires"],
            "reason": outcome.scores.undefined[at] or None,
        }
        for at, generation in enumerate(content["generations"])
        for outcome in panel
    ]
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=RESULT_COLUMNS), buffer, compression="zstd")
    return buffer.getvalue()


def describe_results(data: bytes, content: dict[str, Any]) -> dict[str, Any]:
    """Spell for `audit.json` what `results.parquet` is."""
    return {
        "file": RESULTS_FILE,
        "sha256": sha256_hex(data),
        "rows": len(content["generations"]) * len(content["rules"]),
        "pyarrow": pa.__version__,
    }


def write_pairs(path: Path, corpus: Corpus, generations: Matched, positions: NDArray[np.int64], audit_sha256: str) -> None:
    """Score every pair of every shortlist and write `pairs.parquet`, whole or not at all.

    Args:
        path: of the file.
        corpus: the training set.
        generations: matched with it.
        positions: int64 (B,), of each among those drawn.
        audit_sha256: digest of the `audit.json` that it belongs to.
    """
    schema = PAIR_COLUMNS.with_metadata({"audit_sha256": audit_sha256})
    temporary = path.with_name(f"{TEMPORARY_PREFIX}{path.name}")
    with pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
        for batch in _pair_batches(corpus, generations, positions, schema):
            writer.write_batch(batch)
    with temporary.open("rb+") as file:
        # Durable before it has its name.
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_folder(path.parent)


def _pair_batches(
    corpus: Corpus, generations: Matched, positions: NDArray[np.int64], schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    views, items = np.asarray(corpus.side.views), pa.array(corpus.item_ids, pa.string())
    for start in range(0, len(generations.pictures), BLOCK_GENERATIONS):
        block = slice(start, start + BLOCK_GENERATIONS)
        shortlists = generations.evidence.shortlists[block]
        count, length = shortlists.shape
        ssim = pairwise_ssim(generations.pictures[block], views, shortlists)
        columns = [
            np.repeat(positions[block].astype(np.int32), length),
            np.tile(np.arange(length, dtype=np.int32), count),
            pa.DictionaryArray.from_arrays(shortlists.ravel().astype(np.int32), items),
            generations.evidence.cosines[block].ravel(),
            ssim.ravel().astype(np.float64),
        ]
        yield pa.RecordBatch.from_arrays(
            [pa.array(column) if isinstance(column, np.ndarray) else column for column in columns], schema=schema
        )
