"""`sleeve compare`: the similarity suite for two images, or for two folders paired by file name.

The first image takes the place of the training image: SRE is not symmetric.
"""

import json
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.table import Table

from shared.command_line.console import console
from shared.command_line.options import read_bytes
from shared.command_line.terminal_text import echo
from shared.errors import InputError
from shared.settings import load_settings
from shared.vision.image_decoding import decode_image
from shared.vision.image_limits import image_limits
from shared.vision.similarity.metrics import compare_arrays

SUITE = ("ssim", "rmse", "psnr", "fsim", "sre", "sam", "uiq")
SUFFIXES = {".png", ".jpg", ".jpeg", ".webp"}


def compare(
    a: Annotated[Path, typer.Argument(help="Image or folder: the training side.")],
    b: Annotated[Path, typer.Argument(help="Image or folder: the generated side.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure SSIM, RMSE, PSNR, FSIM, SRE, SAM and UIQ between two images or two folders."""
    rows = [{"pair": name, **measure_files(first, second)} for name, first, second in pair_up(a, b)]
    if as_json:
        echo(json.dumps(rows if a.is_dir() else rows[0], ensure_ascii=False))
        return
    show_rows(rows)


def pair_up(a: Path, b: Path) -> list[tuple[str, Path, Path]]:
    """Pair two files, or the files of two folders that have the same name.

    Raises:
        InputError: a file and a folder, a path that does not exist, or folders without a common name.
    """
    for path in (a, b):
        if not path.exists():
            raise InputError(f"expected an image or a folder, got nothing at {path}", code="file_missing")
    if a.is_file() and b.is_file():
        return [(f"{a.name} | {b.name}", a, b)]
    if not (a.is_dir() and b.is_dir()):
        raise InputError(f"expected two images or two folders, got {a} and {b}", code="compare_arguments")
    names = sorted(path.name for path in a.iterdir() if path.suffix.lower() in SUFFIXES and (b / path.name).is_file())
    if not names:
        raise InputError(f"no image of {a} has its name in {b}", code="compare_no_pairs")
    return [(name, a / name, b / name) for name in names]


def measure_files(first: Path, second: Path) -> dict[str, Any]:
    """Measure the suite between two image files of equal size.

    Raises:
        InputError: a file is no acceptable image, or the sizes differ.
    """
    images = [np.asarray(decode_image(read_bytes(path), image_limits(load_settings())).pixels) for path in (first, second)]
    if images[0].shape != images[1].shape:
        sizes = [f"{image.shape[1]}×{image.shape[0]}" for image in images]
        raise InputError(f"expected images of equal size, got {sizes[0]} and {sizes[1]}", code="sizes_differ")
    return compare_arrays(images[0], images[1])


def show_rows(rows: list[dict[str, Any]]) -> None:
    """Print pairs as a table; `inf` is what PSNR and SRE are for identical images."""
    table = Table("pair", *(name.upper() for name in SUITE))
    for row in rows:
        shown = (row["not_finite"].get(name, "") if row[name] is None else f"{row[name]:.4f}" for name in SUITE)
        table.add_row(row["pair"], *shown)
    console.print(table)
