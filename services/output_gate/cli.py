"""`sleeve gate`: the output duty from the command line."""

import typer

from services.output_gate.checks.cli import check, evidence
from services.output_gate.completeness.cli import completeness
from services.output_gate.embedding_search.cli import search
from services.output_gate.flags import cli as flags_cli
from services.output_gate.payables.cli import payables
from services.output_gate.policy import cli as policy_cli
from services.output_gate.registry.cli import seen
from services.output_gate.reviews import cli as reviews_cli
from services.output_gate.webhooks import cli as webhooks_cli
from shared.command_line.groups import in_order
from shared.command_line.options import EXIT_STATUS

app = typer.Typer(
    cls=in_order("check", "evidence", "review", "flags", "payables", "policy", "webhooks", "seen", "search", "completeness"),
    help="Decide whether a generation may be released.",
    epilog=f"Example: sleeve gate check picture.png --model model-1\n\n{EXIT_STATUS} Some commands have more of them.",
    no_args_is_help=True,
)

for command in (check, evidence, seen, search, completeness, payables):
    app.command()(command)
app.add_typer(policy_cli.app, name="policy")
app.add_typer(reviews_cli.app, name="review")
app.add_typer(flags_cli.app, name="flags")
app.add_typer(webhooks_cli.app, name="webhooks")


@app.callback()
def gate() -> None:
    """Decide whether a generation may be released."""
