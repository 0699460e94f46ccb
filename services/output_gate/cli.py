"""`sleeve gate`: the output duty from the command line."""

import typer

from shared.command_line.groups import lazy_group
from shared.command_line.options import EXIT_STATUS

COMMANDS = (
    ("check", "services.output_gate.commands.check:check", "Check one image, or every file of a folder."),
    (
        "evidence",
        "services.output_gate.commands.check:evidence",
        "Draw what a check rests on: generation, matched item, one laid over the other, and where they agree and differ.",
    ),
    ("review", "services.output_gate.commands.review:app", "Review flags, and checks that were too close to decide."),
    ("flags", "services.output_gate.commands.flags:app", "Follow flags from notice to payment or waiver."),
    (
        "payables",
        "services.output_gate.commands.payables:payables",
        "List what is owed to whom: one row an owner's share of a flag, in minor units of its currency.",
    ),
    ("policy", "services.output_gate.commands.policy:app", "Adopt policies, and try them on past checks."),
    (
        "webhooks",
        "services.output_gate.commands.webhooks:app",
        "Have events posted to a URL; messages are sent by the running server.",
    ),
    ("seen", "services.output_gate.commands.seen:seen", "Ask whether the gate saw an image, and what it said."),
    (
        "search",
        "services.output_gate.commands.search:search",
        "Find the registered items nearest to an image by embedding, with the similarity suite on each.",
    ),
    ("index", "services.output_gate.commands.index:app", "Fill the search index again from the log."),
    (
        "completeness",
        "services.output_gate.commands.completeness:completeness",
        "Verify the log, count its checks and flags, and compare with the database.",
    ),
)

app = typer.Typer(
    cls=lazy_group(COMMANDS, extra="gate"),
    help="Decide whether a generation may be released.",
    epilog=f"Example: sleeve gate check picture.png --model model-1\n\n{EXIT_STATUS} Some commands have more of them.",
    no_args_is_help=True,
)
