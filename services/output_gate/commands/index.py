"""`sleeve gate index`: the search index, which is filled from the log and can always be filled again."""

import typer

from services.output_gate.opening import open_gate
from shared.command_line.options import EXIT_STATUS
from shared.command_line.terminal_text import echo
from shared.command_line.workspace import open_home
from shared.index.index_opening import discard_index
from shared.vision.embedding import open_embedder
from shared.vision.embedding.embedder import collection_name

app = typer.Typer(help="Fill the search index again from the log.", epilog=EXIT_STATUS, no_args_is_help=True)


@app.callback()
def index() -> None:
    """Fill the search index again from the log."""


@app.command()
def rebuild() -> None:
    """Drop the index of the embedder in use, damaged as it may be, and fill it from the log again.

    Nothing is lost by it. Every item is embedded again, which takes minutes for 100,000 items; checks are undecided meanwhile.
    """
    workspace = open_home()
    discard_index(workspace.settings, collection_name(open_embedder(workspace.settings.embedder)))
    gate = open_gate(workspace)
    try:
        size = gate.indexer.rebuild()
        state = gate.indexer.measure()
    finally:
        gate.close()
    echo(f"the index stands for {size:,} log entries; {state.gaps:,} items could not be embedded")
