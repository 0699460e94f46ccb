"""`sleeve audit`: seal, train, sample, run and report from the command line."""

import typer

from shared.command_line.groups import lazy_group
from shared.command_line.options import EXIT_STATUS

COMMANDS = (
    ("seal", "services.audit.commands.seal:seal", "Draw a slice of one or more data sets and seal it as a manifest."),
    ("train", "services.audit.commands.train:train", "Train an unconditional diffusion model."),
    ("import", "services.audit.commands.train:import_", "Import a model that was trained elsewhere."),
    ("sample", "services.audit.commands.sample:sample", "Generate images from a model, one recorded seed each."),
    (
        "run",
        "services.audit.commands.run:run",
        "Sample a model, compare with its training set and a control, and write the audit and its report.",
    ),
    (
        "extract",
        "services.audit.commands.run:extract",
        "Extract on purpose: draw many images, take what many seeds share, and audit one of each.",
    ),
    ("study", "services.audit.commands.study:study", "Train and audit models of many slice sizes and draw the curve."),
    (
        "list",
        "services.audit.commands.recorded:list_recorded",
        "List recorded audits, newest first: id, time, state, model, control, digest of audit.json.",
    ),
    (
        "show",
        "services.audit.commands.recorded:show",
        "Print an audit's audit.json, once it is checked against the digest in the log.",
    ),
)

app = typer.Typer(
    cls=lazy_group(COMMANDS, extra="audit"),
    help="Train on sealed manifests and measure what a model memorised.",
    epilog=f"""Example:
  sleeve audit seal slice-1 --dataset my-images --size 500 --control held-out-1
  sleeve audit train model-1 --manifest slice-1
  sleeve audit run model-1 --control held-out-1

{EXIT_STATUS} Of run, extract and study: 5 a control came out wrong, the audit is void.""",
    no_args_is_help=True,
)
