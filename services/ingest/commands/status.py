"""`sleeve ingest status`: how far the input duty is fulfilled."""

import json
from dataclasses import asdict

import typer
from rich.table import Table

from services.ingest.coverage import Coverage, measure_coverage, total_coverage
from shared.command_line.console import console
from shared.command_line.options import AsJson
from shared.command_line.workspace import open_home


def status(as_json: AsJson = False) -> None:
    """Show how far the input duty is fulfilled, data set by data set and in total."""
    workspace = open_home()
    with workspace.reading() as session:
        found = measure_coverage(session)
    total = total_coverage(found)
    if as_json:
        typer.echo(json.dumps({"datasets": [asdict(one) for one in found], "total": asdict(total)}, indent=2))
        return
    table = Table("data set", "items", "owner", "acquirer", "diligence", "archival link", "link verified", "denied")
    for one in found:
        table.add_row(*build_coverage_row(one))
    table.add_section()
    table.add_row(*build_coverage_row(total))
    console.print(table)
    console.print("Shares are of active items. A search counts until it expires; a denied item is in no later manifest.")


def build_coverage_row(one: Coverage) -> list[str]:
    """Say how far one data set is; nothing short of all is shown as 100 %.

    >>> from services.ingest.coverage import Coverage
    >>> build_coverage_row(Coverage("a", 1000, 999, 1000, 1, 0, 0, 0))[2:5]
    ['99.9%', '100%', '0.1%']
    """
    counts = (one.owner, one.acquirer, one.diligence, one.archival_link, one.archival_verified, one.denied)
    return [one.dataset, f"{one.items:,}", *(format_share(one, count) for count in counts)]


def format_share(one: Coverage, count: int) -> str:
    """Write a share: whole per cents only for none and all."""
    if count in {0, one.items}:
        return f"{one.share(count):.0%}"
    return f"{min(max(one.share(count), 0.001), 0.999):.1%}"
