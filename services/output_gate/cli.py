"""`sleeve gate`: checks from the command line."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Column, Table

from services.command_workspace import open_home
from services.console import console
from services.output_gate.flags import cli as flags_cli
from services.output_gate.policy import cli as policy_cli
from services.output_gate.reviews import cli as reviews_cli
from shared.errors import InputError
from shared.files import save_atomically

if TYPE_CHECKING:
    from services.output_gate.checks.schemas import CheckAnswer
    from shared.workspace import Workspace

app = typer.Typer(help="Decide whether a generation may be released.", no_args_is_help=True)

app.add_typer(policy_cli.app, name="policy")
app.add_typer(reviews_cli.app, name="review")
app.add_typer(flags_cli.app, name="flags")

# Exit statuses, so that a release script can branch: clear, flag, undecided. Errors are 1, usage 2 (typer's own).
EXIT_STATUS = {"clear": 0, "flag": 3, "undecided": 4}


@app.callback()
def gate() -> None:
    """Decide whether a generation may be released."""


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="The generation: PNG, JPEG or WebP.")],
    model: Annotated[str, typer.Option(help="Name or id of the model that made it.")],
    receipt: Annotated[Path | None, typer.Option(help="Write the receipt to this file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")] = False,
) -> None:
    """Check one image. Exit status 0 clear, 3 flag, 4 undecided."""
    workspace = open_home()
    data = _read_checked(workspace, file, model)
    # Only now what brings torch: bad input is answered at once.
    from services.output_gate.checks.answers import build_answer
    from services.output_gate.checks.service import check_generation
    from services.output_gate.gate import open_gate

    opened = open_gate(workspace)
    try:
        answer = build_answer(opened, check_generation(opened, model, data))
    finally:
        opened.close()
    if receipt is not None:
        save_atomically(receipt, answer.receipt.encode())
    console.print_json(answer.model_dump_json()) if as_json else show_answer(answer)
    raise typer.Exit(EXIT_STATUS[answer.decision])


@app.command()
def payables(
    csv: Annotated[Path | None, typer.Option(help="Write every row to this file, as CSV.")] = None,
    state: Annotated[str | None, typer.Option(help="Of flags in this state; else of all not overturned.")] = None,
) -> None:
    """List what is owed to whom: one row an owner's share of a flag, in minor units of its currency."""
    from services.output_gate.payables.payables import iterate_payables, write_csv

    rows = iterate_payables(open_home(), state)
    if csv is not None:
        save_atomically(csv, "".join(write_csv(rows)).encode())
        console.print(f"{csv}")
        return
    table = Table(Column("flag", min_width=36), "item", "owner", "share", "amount", "state", "held")
    for row in rows:
        amount = "to be assessed" if row.amount_minor is None else f"{row.amount_minor} {row.currency}"
        table.add_row(row.flag_id, row.item_id, row.owner or "unknown", f"{row.share:.6f}", amount, row.state, row.held or "")
    console.print(table)


def _read_checked(workspace: "Workspace", file: Path, model: str) -> bytes:
    from shared.records.models import load_model_record
    from shared.vision.images import decode_image

    try:
        data = file.read_bytes()
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}", code="file_missing") from error
    decode_image(data, workspace.limits)
    with workspace.reading() as session:
        load_model_record(session, model)
    return data


def show_answer(answer: "CheckAnswer") -> None:
    """Print an answer as a table."""
    table = Table(show_header=False, title=f"check {answer.id}")
    table.add_row("decision", f"{answer.decision} ({answer.reason})")
    if answer.match is not None and answer.metrics is not None:
        owners = "; ".join(f"{one.name} ({one.role}, {one.basis})" for one in answer.match.owners) or "none known"
        table.add_row("most similar item", f"{answer.match.dataset} / {answer.match.source_key}")
        table.add_row("presumed owner", owners)
        table.add_row("licence", answer.match.licence)
        table.add_row(f"score by rule {answer.rule}, threshold", f"{answer.score:.3f}, {answer.threshold:.3f}")
        others = [f"{one.rule} {one.verdict.replace('_', ' ')}" for one in answer.rules if one.rule != answer.rule]
        table.add_row("other rules", ", ".join(others))
        table.add_row("p-value", f"{answer.p_value:.4f}, control of {answer.control_size}")
        table.add_row("false-positive rate", f"{answer.attained_rate:.4f} attained, {answer.requested_rate} asked for")
        named = [(k.upper(), v) for k, v in answer.metrics.model_dump().items() if k != "identical"]
        table.add_row("suite", ", ".join(f"{k} {'∞' if v is None else f'{v:.3f}'}" for k, v in named))
    table.add_row("policy", answer.policy)
    table.add_row("manifest root", answer.manifest_root)
    console.print(table)
