"""`sleeve audit train` on several devices, one process each.

    accelerate launch -m services.audit.train_distributed …
    ACCELERATE_USE_CPU=true torchrun --nproc_per_node 2 -m services.audit.train_distributed …    (on CPUs)

Arguments are those of `sleeve audit train`; `train_batch_size` is that of all devices together.
"""

import typer

from services.audit.commands.train import train
from shared.command_line.terminal_text import echo
from shared.errors import SleeveError


def main() -> None:
    """Train; turn expected failures into one line and an exit status, so that the launcher stops the other processes."""
    try:
        typer.run(train)
    except SleeveError as error:
        echo(f"error: {error.message} [{error.code}]", err=True)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
