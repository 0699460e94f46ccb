"""`sleeve ingest status`: how far the input duty is fulfilled."""

import json
from dataclasses import asdict

from rich.table import Table

from services.ingest.coverage import Coverage, measure_coverage, total_coverage
from shared.command_line.console import console
from shared.command_line.options import AsJson
from shared.command_line.terminal_text import echo
from shared.command_line.workspace import open_home


def status(as_json: AsJson = False) -> None:
    """Show how far the input duty is fulfilled, data set by data set and in total."""
    workspace = open_home()
    with workspace.reading() as session:
        datasets = measure_coverage(session)
    total = total_coverage(datasets)
    if as_json:
        echo(json.dumps({"datasets": [asdict(dataset) for dataset in datasets], "total": asdict(total)}, indent=2))
        return
    table = Table("data set", "items", "owner", "acquirer", "diligence", "archival link", "link verified", "denied")
    for dataset in datasets:
        table.add_row(*build_coverage_row(dataset))
    table.add_section()
    table.add_row(*build_coverage_row(total))
    console.print(table)
    console.print("Shares are of active items. A search counts until it expires; a denied item is in no later manifest.")


def build_coverage_row(coverage: Coverage) -> list[str]:
    """Say how far one data set is; nothing short of all is shown as 100 %.

    >>> from services.ingest.coverage import Coverage
    >>> build_coverage_row(Coverage("a", 1000, 999, 1000, 1, 0, 0, 0))[2:5]
    ['99.9%', '100%', '0.1%']
    """
    counts = (
        coverage.owner,
        coverage.acquirer,
        coverage.diligence,
        coverage.archival_link,
        coverage.archival_verified,
        coverage.denied,
    )
    return [coverage.dataset, f"{coverage.items:,}", *(format_share(coverage, count) for count in counts)]


def format_share(coverage: Coverage, count: int) -> str:
    """Write a share: whole per cents only for none and all."""
    if count in {0, coverage.items}:
        return f"{coverage.share(count):.0%}"
    return f"{min(max(coverage.share(count), 0.001), 0.999):.1%}"
