"""Vectors kept as files with their codes, ready to be scanned (`shared.index.scan`, `shared.array_store`)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.array_store import ArrayPlan, KeptArray, Progress, load_or_build
from shared.index.scan import TERMS, ScannedRows, code_rows


@dataclass(frozen=True)
class KeptRows:
    """Vectors that can be scanned, and the files that they are read from."""

    scanned: ScannedRows
    files: tuple[KeptArray, ...]


def load_kept_rows(folder: Path, name: str, plan: ArrayPlan, on_rows: Progress | None = None) -> KeptRows:
    """Return kept vectors with their codes, building what is missing or does not hold.

    Args:
        folder: where they are kept.
        name: of the files, without an ending; says of what the vectors are made.
        plan: float32 (n, d), rows of length 1, n at least 1.
        on_rows: told (rows done, rows in all) of each block that is built.

    Raises:
        InputError: a vector that is not finite.
    """
    rows = load_or_build(folder / f"{name}.npy", plan, on_rows)
    # Of these very rows: codes of rows that were made anew are made anew.
    name = f"{name}-{rows.sha256[:12]}"

    def code(start: int, stop: int) -> NDArray[Any]:
        return code_rows(np.asarray(rows.rows[start:stop]))[0]

    def term(start: int, stop: int) -> NDArray[Any]:
        return code_rows(np.asarray(rows.rows[start:stop]))[1]

    codes = load_or_build(folder / f"{name}-codes.npy", ArrayPlan(plan.shape, "int8", code), on_rows)
    terms = load_or_build(folder / f"{name}-terms.npy", ArrayPlan((plan.shape[0], TERMS), "float32", term), on_rows)
    return KeptRows(ScannedRows(rows.rows, codes.rows, terms.rows), (rows, codes, terms))
