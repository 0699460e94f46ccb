"""Vectors stored as files with their codes, ready to be scanned (`coded_scan`, `shared.array_store`)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.array_store import ArrayPlan, ProgressCallback, StoredArray, load_or_build
from shared.index.coded_scan import TERMS, ScannedRows, code_rows


@dataclass(frozen=True)
class StoredVectors:
    """Vectors that can be scanned, and the files that they are read from."""

    scanned: ScannedRows
    files: tuple[StoredArray, ...]


def load_vectors(folder: Path, name: str, plan: ArrayPlan, report_progress: ProgressCallback | None = None) -> StoredVectors:
    """Return stored vectors with their codes, building what is missing or no longer matches its digest.

    Args:
        folder: where they are stored.
        name: of the files, without an ending; says of what the vectors are made.
        plan: float32 (n, d), rows of length 1, n at least 1.
        report_progress: called with (rows done, rows in all) after each block that is built.

    Raises:
        InputError: a vector that is not finite.
    """
    rows = load_or_build(folder / f"{name}.npy", plan, report_progress)
    # The name holds the rows' digest, so that the codes of rebuilt rows are rebuilt too.
    name = f"{name}-{rows.sha256[:12]}"

    def code(start: int, stop: int) -> NDArray[Any]:
        return code_rows(np.asarray(rows.rows[start:stop]))[0]

    def term(start: int, stop: int) -> NDArray[Any]:
        return code_rows(np.asarray(rows.rows[start:stop]))[1]

    codes = load_or_build(folder / f"{name}-codes.npy", ArrayPlan(plan.shape, "int8", code), report_progress)
    terms = load_or_build(folder / f"{name}-terms.npy", ArrayPlan((plan.shape[0], TERMS), "float32", term), report_progress)
    return StoredVectors(ScannedRows(rows.rows, codes.rows, terms.rows), (rows, codes, terms))
