"""`sleeve audit list` and `sleeve audit show`: audits on record."""

from typing import Annotated

import typer

from services.audit.audits.recorded_audits import load_audit, load_audit_json, page_of_audits
from shared.command_line.console import console
from shared.command_line.terminal_text import echo
from shared.command_line.workspace import open_home
from shared.http.paging import PageRequest


def list_recorded(
    model: Annotated[str | None, typer.Option(help="Audits of this model only.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 50,
) -> None:
    """List recorded audits, newest first: id, time, state, model, control, digest of audit.json."""
    for audit in page_of_audits(open_home(), PageRequest(limit=limit), model).items:
        figures = f"{audit.state}  {audit.model}  {audit.control}  {audit.report_sha256}"
        console.print(f"{audit.id}  {audit.created_at}  {figures}", soft_wrap=True)


def show(audit_id: Annotated[str, typer.Argument(help="Id of the audit.")]) -> None:
    """Print an audit's audit.json, once it is checked against the digest in the log."""
    workspace = open_home()
    echo(load_audit_json(workspace, load_audit(workspace, audit_id)).decode())
