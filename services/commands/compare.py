"""`sleeve compare`: the similarity suite for two images, or for two folders paired by path.

Rules, in order:

1. The first image takes the place of the training image: SRE is not symmetric.
2. Of two folders every file is named: measured beside its partner, or with the reason why it was not. A pair that cannot be
   measured stops no other.
3. The exit status is 1 where a file has no partner, or a pair could not be measured.
"""

import json
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.table import Table

from shared.command_line.console import console, say_count
from shared.command_line.options import read_bytes
from shared.command_line.terminal_text import echo
from shared.errors import InputError
from shared.folder_listing import ListedFile, list_files
from shared.settings import load_settings
from shared.vision.image_decoding import decode_image
from shared.vision.image_limits import image_limits
from shared.vision.similarity.metrics import compare_arrays

SUITE = ("ssim", "rmse", "psnr", "fsim", "sre", "sam", "uiq")


def compare(
    a: Annotated[Path, typer.Argument(help="Image or folder: the training side.")],
    b: Annotated[Path, typer.Argument(help="Image or folder: the generated side.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure SSIM, RMSE, PSNR, FSIM, SRE, SAM and UIQ between two images or two folders. Exit status 1 where one was not."""
    if a.is_dir() and b.is_dir():
        rows = compare_folders(a, b)
        echo(json.dumps(rows, ensure_ascii=False)) if as_json else show_folders(rows)
        raise typer.Exit(int(any("code" in row for row in rows)))
    for path in (a, b):
        if not path.exists():
            raise InputError(f"expected an image or a folder, got nothing at {path}", code="file_missing")
    if a.is_dir() or b.is_dir():
        raise InputError(f"expected two images or two folders, got {a} and {b}", code="compare_arguments")
    row = {"pair": f"{a.name} | {b.name}", **measure_files(a, b)}
    echo(json.dumps(row, ensure_ascii=False)) if as_json else show_rows([row])


def compare_folders(a: Path, b: Path) -> list[dict[str, Any]]:
    """Measure every pair of files that have the same path in two folders.

    Returns:
        A row a path: the suite, or `code` and `detail` of why it was not measured.

    Raises:
        InputError: the folders have no path in common.
    """
    first, second = ({file.path: file for file in list_files(folder)} for folder in (a, b))
    if not first.keys() & second.keys():
        raise InputError(f"no file of {a} has its name in {b}", code="compare_no_pairs")
    return [{"pair": path, **_measure(a, first.get(path), b, second.get(path))} for path in sorted(first | second)]


def _measure(a: Path, first: ListedFile | None, b: Path, second: ListedFile | None) -> dict[str, Any]:
    if first is None or second is None:
        return {"code": "no_partner", "detail": f"no partner in {b if second is None else a}"}
    problem = first.problem or second.problem
    try:
        return measure_files(a / first.path, b / second.path) if problem is None else _describe(problem)
    except InputError as error:
        return _describe(error)


def _describe(error: InputError) -> dict[str, Any]:
    return {"code": error.code, "detail": error.message}


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


def show_folders(rows: list[dict[str, Any]]) -> None:
    """Print the pairs that were measured, and name every file that was not."""
    measured = [row for row in rows if "code" not in row]
    if measured:
        show_rows(measured)
    failed = [row for row in rows if "code" in row]
    if failed:
        table = Table("not compared", "code", "why", title=f"{say_count(len(failed), 'file', 'files')} not compared")
        for row in failed:
            table.add_row(row["pair"], row["code"], row["detail"])
        console.print(table)
    console.print(f"{say_count(len(measured), 'pair', 'pairs')} measured, {say_count(len(failed), 'file', 'files')} not")


def show_rows(rows: list[dict[str, Any]]) -> None:
    """Print pairs as a table; `inf` is what PSNR and SRE are for identical images."""
    table = Table("pair", *(name.upper() for name in SUITE))
    for row in rows:
        shown = (row["not_finite"].get(name, "") if row[name] is None else f"{row[name]:.4f}" for name in SUITE)
        table.add_row(row["pair"], *shown)
    console.print(table)
