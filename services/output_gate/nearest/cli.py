"""`sleeve gate search`: the registered items nearest to a picture by embedding."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from services.command_workspace import open_home
from services.console import console
from shared.errors import InputError

if TYPE_CHECKING:
    from services.output_gate.nearest.schemas import NearestAnswer

# As `services.output_gate.nearest.service.MAX_NEAREST`, which a command must not import before it runs.
MAX_LIMIT = 50


def search(
    file: Annotated[Path, typer.Argument(help="The picture: PNG, JPEG or WebP.")],
    limit: Annotated[int, typer.Option(min=1, max=MAX_LIMIT, help="How many items at most.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")] = False,
) -> None:
    """Find the registered items nearest to an image by embedding, with the similarity suite on each."""
    workspace = open_home()
    try:
        data = file.read_bytes()
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}", code="file_missing") from error
    from services.output_gate.gate import open_gate
    from services.output_gate.nearest.service import find_nearest

    gate = open_gate(workspace)
    try:
        gate.indexer.catch_up()
        answer = find_nearest(gate, data, limit)
    finally:
        gate.close()
    console.print_json(answer.model_dump_json()) if as_json else show_nearest(answer)


def show_nearest(answer: "NearestAnswer") -> None:
    """Print the items as a table, and below it what was searched."""
    table = Table("cosine", "SSIM", "item", "title", "presumed owners", "licence", "state")
    for near in answer.items:
        owners = "; ".join(f"{owner.name} ({owner.role})" for owner in near.item.owners) or "none known"
        ssim = near.problem or "" if near.metrics is None else f"{near.metrics.ssim:.3f}"
        place = f"{near.item.dataset} / {near.item.source_key}"
        table.add_row(f"{near.cosine:.3f}", ssim, place, near.item.title or "", owners, near.item.licence, near.item.state)
    console.print(table)
    searched = answer.searched
    console.print(f"{searched.registered:,} items registered; embedder {answer.embedder}")
    if not searched.complete:
        console.print(
            f"not searched: {searched.gaps:,} items without a vector, {searched.behind_entries:,} entries of the log"
        )
