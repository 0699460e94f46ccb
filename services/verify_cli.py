"""`sleeve verify`: offline verification, for people who do not trust whoever runs the log."""

from pathlib import Path
from typing import Annotated

import typer

from services.console import console
from shared.errors import InputError
from shared.ledger.verify import verify_log, verify_receipt
from shared.settings import load_settings

app = typer.Typer(help="Verify receipts and logs offline.", no_args_is_help=True)

Key = Annotated[
    str | None, typer.Option(help="The log's verifier key, or a file that holds it; SLEEVE_HOME/log.vkey by default.")
]


def load_vkey(key: str | None) -> str:
    """Return the verifier key that an option names: the key itself, or the content of a file.

    Raises:
        InputError: it is neither, or no key was given and none is in the home folder.
    """
    if key is not None and "+" in key and not Path(key).exists():
        return key.strip()
    path = Path(key) if key is not None else load_settings().home / "log.vkey"
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"expected a verifier key or a file that holds one, got {path}", code="key_missing") from error


@app.command()
def receipt(
    file: Annotated[Path, typer.Argument(help="A receipt (tlog-proof).")],
    key: Key = None,
    show: Annotated[bool, typer.Option(help="Print the whole entry.")] = False,
) -> None:
    """Verify that a receipt's entry is in the log that the key stands for."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"receipt {file} cannot be read", code="file_missing") from error
    verified = verify_receipt(text, load_vkey(key))
    console.print(
        f"valid: entry {verified.index:,} of {verified.size:,} in {verified.origin}, "
        f"{verified.entry.type} at {verified.entry.at}",
        soft_wrap=True,
    )
    if show:
        console.print_json(verified.entry.model_dump_json())


@app.command()
def log(
    folder: Annotated[Path | None, typer.Argument(help="The log's folder; SLEEVE_HOME/log by default.")] = None,
    key: Key = None,
) -> None:
    """Recompute a whole log from its entries and compare it with its tiles and signed checkpoint."""
    report = verify_log(folder or load_settings().home / "log", load_vkey(key))
    console.print(f"valid: {report.size:,} entries in {report.origin}, root {report.root.hex()}", soft_wrap=True)
