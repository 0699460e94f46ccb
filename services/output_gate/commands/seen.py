"""`sleeve gate seen`: did this gate see a picture, and what did it say?"""

from typing import Annotated

import typer
from rich.table import Table

from services.output_gate.registry.schemas import SeenAnswer
from services.output_gate.registry.service import OutputSearch
from shared.command_line.console import console, say_count
from shared.command_line.image_search import MaxDistance, Picture, name_distance
from shared.command_line.options import AsJson, read_bytes, show_json
from shared.command_line.workspace import open_home
from shared.vision.image_query import MAX_LIMIT
from shared.vision.perceptual_hash import MATCH_DISTANCE

# So that a script can branch; errors are 1.
EXIT_NOT_SEEN = 3


def seen(
    file: Picture,
    max_distance: MaxDistance = MATCH_DISTANCE,
    limit: Annotated[int, typer.Option(min=1, max=MAX_LIMIT, help="How many generations at most.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Ask whether the gate saw an image, and what it said. Exit status 0 seen, 3 not seen."""
    answer = OutputSearch(open_home()).search(read_bytes(file), max_distance, limit)
    show_json(answer) if as_json else show_seen(answer)
    if not answer.seen:
        raise typer.Exit(EXIT_NOT_SEEN)


def show_seen(answer: SeenAnswer) -> None:
    """Print the checks of every generation found, and below them what was searched."""
    if answer.matches:
        table = Table("match", "distance", "decision", "reason", "model", "when", "check")
        for match in answer.matches:
            how = match.kind, name_distance(match.distance)
            for check in match.checks:
                table.add_row(*how, check.decision, check.reason, check.model, check.decided_at, check.id)
        console.print(table)
    more = ", and more beyond the limit" if answer.more else ""
    console.print(
        f"{say_count(len(answer.matches), 'match', 'matches')}{more}; "
        f"{say_count(answer.searched.generations, 'generation', 'generations')} seen, "
        f"distance up to {answer.perceptual.max_distance} of 256 bits"
    )
    if not answer.perceptual.defined:
        console.print("the picture is too flat for a perceptual hash: near copies could not be looked for")
