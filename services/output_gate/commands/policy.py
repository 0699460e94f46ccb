"""`sleeve gate policy`: adopt a policy, see what was adopted, try one on past checks."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Column, Table

from services.output_gate.policy.policy import load_policy_file
from services.output_gate.policy.schemas import ControlRun, DryRun, ProposedPolicy
from services.output_gate.policy.service import adopt as adopt_policy
from services.output_gate.policy.service import page_of_policies, show_named_policy, try_on_past_checks
from shared.command_line.console import console, show_page
from shared.command_line.options import EXIT_STATUS, AsJson, Cursor, Limit, show_json
from shared.command_line.workspace import open_home
from shared.http.paging import PageRequest

app = typer.Typer(help="Adopt policies, and try them on past checks.", epilog=EXIT_STATUS, no_args_is_help=True)

PolicyFile = Annotated[Path, typer.Argument(help="The policy, as TOML.")]


@app.command()
def adopt(file: PolicyFile, as_json: AsJson = False) -> None:
    """Adopt a policy through the log; running gates decide by it from their next check on."""
    content = load_policy_file(file)
    answer = adopt_policy(open_home(), content)
    if as_json:
        show_json(answer)
        return
    _show_controls(answer.controls)
    if isinstance(answer, ProposedPolicy):
        waiting = f"{answer.approvals} of {answer.approvals_needed} approvals; it is adopted when another key sends it"
        console.print(f"proposed: SHA-256 {answer.sha256}, {waiting}")
        return
    console.print(f"{answer.name} v{answer.version} is in force: {answer.id}, SHA-256 {answer.sha256}")


@app.command("list")
def list_all(limit: Limit = 50, cursor: Cursor = None, as_json: AsJson = False) -> None:
    """List adopted policies in the order of their adoption."""
    page = page_of_policies(open_home(), PageRequest(cursor, limit))
    if as_json:
        show_json(page)
        return
    table = Table(Column("id", min_width=36), "name", "version", "adopted", "in force", "SHA-256")
    for policy in page.items:
        table.add_row(
            policy.id,
            policy.name,
            str(policy.version),
            policy.adopted_at,
            "yes" if policy.in_force else "",
            policy.sha256[:12],
        )
    show_page(table, page.next_cursor)


@app.command()
def show(policy: Annotated[str, typer.Argument(help="Id of a policy, or a name for the newest of that name.")]) -> None:
    """Print a policy with the receipt of its adoption, as JSON."""
    show_json(show_named_policy(open_home(), policy))


@app.command("dry-run")
def dry_run(
    file: PolicyFile,
    model: Annotated[str | None, typer.Option(help="Checks of this model only, by name or id.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="How many of the newest checks; all without it.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say what past checks would come to under a policy; nothing is adopted, recorded or compared anew."""
    content = load_policy_file(file)
    run = try_on_past_checks(open_home(), content, limit, model)
    if as_json:
        show_json(run)
        return
    _show(run)


def _show_controls(controls: list[ControlRun]) -> None:
    for control in controls:
        outcome = f"{control.flagged:,} flagged and {control.borderline:,} borderline of {control.pictures:,} control pictures"
        console.print(f"{control.model}: {control.not_decidable or outcome}", soft_wrap=True)
        if control.several_pictures:
            console.print(
                f"  {control.several_pictures:,} control files hold several pictures, of which the first was judged",
                soft_wrap=True,
            )
        if control.unreachable:
            console.print(
                f"  [bold]no picture can reach the threshold[/bold]: exact copies score {control.highest_score:.4g} at most",
                soft_wrap=True,
            )


def _show(answer: DryRun) -> None:
    _show_controls(answer.controls)
    table = Table("what would change", "checks", "such as")
    for kind in answer.changed:
        table.add_row(
            kind.kind.replace("_", " "), f"{kind.count:,}", ", ".join(change.check_id for change in kind.changes[:3])
        )
    for refused in answer.not_decidable:
        reason = refused.reason.replace("_", " ")
        table.add_row(f"cannot be decided again: {reason}", f"{refused.count:,}", ", ".join(refused.check_ids[:3]))
    table.add_row("nothing", f"{answer.unchanged:,}", "")
    if answer.further_flags:
        table.add_row("not compared: flags of further works", f"{answer.further_flags:,}", "")
    console.print(table)
    console.print(f"{answer.checks:,} checks" + (", and older ones left out" if answer.more else ""))
