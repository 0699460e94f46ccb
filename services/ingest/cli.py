"""`sleeve ingest`: the input duty from the command line."""

import typer

from shared.command_line.groups import lazy_group
from shared.command_line.options import EXIT_STATUS

COMMANDS = (
    ("add", "services.ingest.commands.add:add", "Register every image of a source."),
    (
        "status",
        "services.ingest.commands.status:status",
        "Show how far the input duty is fulfilled, data set by data set and in total.",
    ),
    (
        "search",
        "services.ingest.commands.search:search",
        "Find the registered items that hold an image: the same bytes, the same pixels, or a near copy.",
    ),
    ("items", "services.ingest.commands.items:app", "Show items, amend their records, withdraw them."),
    ("manifests", "services.ingest.commands.manifests:app", "Seal sets of items and prove what is in them."),
    ("diligence", "services.ingest.commands.diligence:app", "Record searches for the owners of items."),
    ("signals", "services.ingest.commands.signals:app", "Show rights signals, and record those seen later."),
    ("archive", "services.ingest.commands.archive:app", "Check archival links, and keep what the originals answer."),
    ("fingerprint", "services.ingest.commands.search:fingerprint", "Make the fingerprints that search by image needs."),
    ("erase", "services.ingest.commands.erase:erase", "Erase a person's name from the records."),
    (
        "tidy",
        "services.ingest.commands.tidy:tidy",
        "Remove the unfinished files that killed processes left in the home folder.",
    ),
)

app = typer.Typer(
    cls=lazy_group(COMMANDS, extra="ingest"),
    help="Record training images with their provenance.",
    epilog=f'Example: sleeve ingest add ./my-images --acquirer "Data team"\n\n{EXIT_STATUS}',
    no_args_is_help=True,
)
