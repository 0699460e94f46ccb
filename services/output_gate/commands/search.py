"""`sleeve gate search`: the registered items nearest to a picture by embedding."""

from typing import Annotated

import typer
from rich.table import Table

from services.output_gate.embedding_search.schemas import NearestAnswer
from services.output_gate.embedding_search.service import MAX_NEAREST, find_nearest
from services.output_gate.opening import open_gate
from shared.command_line.console import console, say_count, show_page
from shared.command_line.image_search import ITEM_COLUMNS, Picture, build_item_cells
from shared.command_line.options import AsJson, read_bytes, show_json
from shared.command_line.workspace import open_home


def search(
    file: Picture,
    limit: Annotated[int, typer.Option(min=1, max=MAX_NEAREST, help="How many items at most.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Find the registered items nearest to an image by embedding, with the similarity suite on each."""
    workspace, data = open_home(), read_bytes(file)
    gate = open_gate(workspace)
    try:
        gate.indexer.catch_up()
        answer = find_nearest(gate, data, limit)
    finally:
        gate.close()
    show_json(answer) if as_json else show_nearest(answer)


def show_nearest(answer: NearestAnswer) -> None:
    """Print the items as a table, and below it what was searched."""
    table = Table("cosine", "SSIM", *ITEM_COLUMNS)
    for near in answer.items:
        ssim = near.problem or "" if near.metrics is None else f"{near.metrics.ssim:.3f}"
        table.add_row(f"{near.cosine:.3f}", ssim, *build_item_cells(near.item))
    show_page(table)
    searched = answer.searched
    console.print(f"{say_count(searched.registered, 'item', 'items')} registered; embedder {answer.embedder}")
    if not searched.complete:
        console.print(
            f"not searched: {searched.gaps:,} items without a vector, {searched.behind_entries:,} entries of the log"
        )
