"""`sleeve ingest search` and `sleeve ingest fingerprint`: search by image, and what it searches in."""

from typing import Annotated

import typer
from rich.table import Table

from services.ingest.search.fingerprint_backlog import catch_up, count_missing, forget
from services.ingest.search.schemas import SearchAnswer
from services.ingest.search.service import ImageSearch
from shared.command_line.console import console, progress, say_count
from shared.command_line.image_search import ITEM_COLUMNS, MaxDistance, Picture, build_item_cells, name_distance
from shared.command_line.options import AsJson, read_bytes, show_json
from shared.command_line.workspace import open_home
from shared.records.fingerprints import load_failed_blobs
from shared.vision.fingerprints import RECIPE
from shared.vision.image_query import MAX_LIMIT
from shared.vision.perceptual_hash import MATCH_DISTANCE

# Failed blobs shown in the terminal; the command says how many there are.
SHOWN_FAILED = 20


def search(
    file: Picture,
    max_distance: MaxDistance = MATCH_DISTANCE,
    limit: Annotated[int, typer.Option(min=1, max=MAX_LIMIT, help="How many matches at most.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Find the registered items that hold an image: the same bytes, the same pixels, or a near copy."""
    answer = ImageSearch(open_home()).search(read_bytes(file), max_distance, limit)
    show_json(answer) if as_json else show_answer(answer)


def show_answer(answer: SearchAnswer) -> None:
    """Print the matches as a table, and below it what the answer does not speak of."""
    if answer.matches:
        table = Table("match", "distance", *ITEM_COLUMNS)
        for match in answer.matches:
            table.add_row(match.kind, name_distance(match.distance), *build_item_cells(match.item))
        console.print(table)
    for line in build_remarks(answer):
        console.print(line)


def build_remarks(answer: SearchAnswer) -> list[str]:
    """Say what was searched, and what was not."""
    searched, perceptual = answer.searched, answer.perceptual
    matches = say_count(len(answer.matches), "match", "matches") + (", and more beyond the limit" if answer.more else "")
    registered = say_count(searched.registered, "blob", "blobs")
    lines = [f"{matches}; {registered} registered, distance up to {perceptual.max_distance} of 256 bits"]
    if not perceptual.defined:
        lines.append(
            f"the picture is too flat for a perceptual hash (quality {perceptual.quality}, "
            f"at least {perceptual.min_quality} needed): near copies could not be looked for"
        )
    if searched.hash_undefined:
        lines.append(f"{searched.hash_undefined:,} blobs are too flat for a hash: compared by bytes and pixels only")
    if searched.not_fingerprinted:
        lines.append(
            f"{searched.not_fingerprinted:,} blobs have no fingerprint yet: compared by bytes only; "
            "`sleeve ingest fingerprint` makes them"
        )
    if searched.failed:
        lines.append(f"{searched.failed:,} blobs cannot be decoded: compared by bytes only")
    return lines


def fingerprint(
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Make every fingerprint again.")] = False,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try the blobs again that failed.")] = False,
) -> None:
    """Make the fingerprints that search by image needs. A server does so by itself; several processes may at once."""
    workspace = open_home()
    if rebuild or retry_failed:
        forget(workspace, only_failed=not rebuild)
    with progress() as bars:
        task = bars.add_task("fingerprints", total=count_missing(workspace))

        def advance(count: int, _seconds: float) -> bool:
            bars.advance(task, count)
            return True

        done = catch_up(workspace, on_blobs=advance)
    with workspace.reading() as session:
        failed = load_failed_blobs(session, RECIPE)
    console.print(f"{done:,} blobs looked at; {count_missing(workspace):,} without a fingerprint, {len(failed):,} failed")
    if failed:
        table = Table("blob", "code", title=f"{len(failed):,} blobs that cannot be decoded")
        for digest, code in failed[:SHOWN_FAILED]:
            table.add_row(digest, code)
        console.print(table)
        raise typer.Exit(1)
