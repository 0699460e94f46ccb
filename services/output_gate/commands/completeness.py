"""`sleeve gate completeness`: count from the log whether anything is missing, and name it."""

import typer
from rich.table import Table

from services.output_gate.completeness.count import CompletenessCount
from services.output_gate.completeness.schemas import CompletenessAnswer, build_completeness_answer
from shared.command_line.console import console
from shared.command_line.options import AsJson, show_json
from shared.command_line.workspace import open_home
from shared.ledger.verify import verify_log

# Rows of a table in the terminal; the counts are of all.
SHOWN = 20
# As a flag of `sleeve gate check`: something is to be looked at.
EXIT_GAPS = 3


def completeness(as_json: AsJson = False) -> None:
    """Verify the log, count its checks and flags, and compare with the database. Exit status 0 complete, 3 gaps."""
    workspace = open_home()
    workspace.log.integrate()
    verify_log(workspace.log.folder, workspace.log.vkey)
    answer = build_completeness_answer(CompletenessCount(workspace).bring_up())
    show_json(answer) if as_json else show_completeness(answer)
    if not answer.complete:
        raise typer.Exit(EXIT_GAPS)


def show_completeness(answer: CompletenessAnswer) -> None:
    """Print what was counted, open flags with their age, and every kind of gap."""
    decisions = ", ".join(f"{count:,} {decision}" for decision, count in sorted(answer.decisions.items())) or "none"
    console.print(f"{answer.log_size:,} entries counted; {answer.checks:,} checks: {decisions}")
    outcomes = ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(answer.outcomes.items())) or "none ended"
    console.print(f"{answer.flags:,} flags: {answer.open_flags:,} open, {outcomes}; {answer.waiting:,} images wait for a job")
    if answer.oldest_open:
        table = Table("open flag", "state", "since", "days", title=f"{answer.open_flags:,} open flags, oldest first")
        for flag in answer.oldest_open[:SHOWN]:
            table.add_row(flag.flag, flag.state, flag.raised_at, f"{flag.age_days:.1f}")
        console.print(table)
    if answer.gaps:
        table = Table(
            "gap", "of", "entry", "detail", title=", ".join(f"{n:,} {kind}" for kind, n in answer.gap_counts.items())
        )
        for gap in answer.gaps[:SHOWN]:
            table.add_row(gap.kind, gap.subject, "" if gap.index is None else str(gap.index), gap.detail)
        console.print(table)
    else:
        console.print("complete: no gap between the log and the database")
