"""What a command says of near copies between a training set and a control, before it spends hours."""

from services.audit.sealing.near_copies import check_near_copies
from shared.command_line.terminal_text import echo
from shared.vision.views import ViewRecipe
from shared.workspace import Workspace


def report_near_copies(workspace: Workspace, manifest: str, control: str, recipe: ViewRecipe) -> None:
    """Look for near copies, and say how many there are, where they are listed, and what to do.

    Raises:
        NotFoundError: no such manifest.
    """
    near, path = check_near_copies(workspace, manifest, control, recipe)
    if near:
        echo(
            f"warning: {len(near):,} of {near.control:,} pictures of the control are near copies of training pictures, listed "
            f"in {path}; an audit by this control may be void; `sleeve audit seal NAME --control CONTROL --distinct "
            f"--resolution {recipe.resolution_px} --channels {recipe.channels}` seals both without near copies",
            err=True,
        )
