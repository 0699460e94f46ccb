"""`sleeve verify`: verification for people who do not trust whoever runs the log.

Exit status 0 and a line that begins with "valid:" when everything holds; else 1 and a line that says what does not.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from shared.canonical import sha256_hex
from shared.command_line.console import console
from shared.command_line.options import read_bytes, show_json
from shared.command_line.terminal_text import echo
from shared.errors import InputError
from shared.ledger.checkpoint import verify_checkpoint
from shared.ledger.membership import verify_membership
from shared.ledger.openings import parse_opening, verify_opening
from shared.ledger.verify import verify_growth, verify_log, verify_receipt
from shared.settings import load_settings

app = typer.Typer(
    help="Verify receipts, membership proofs, checkpoints and whole logs.",
    epilog="Example: sleeve verify receipt check.tlog-proof --key log.vkey\n\n"
    "Exit status: 0 everything holds; 1 it does not, or cannot be read; 2 the command line is wrong.",
    no_args_is_help=True,
)

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
    path = Path(key) if key is not None else load_home() / "log.vkey"
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"expected a verifier key or a file that holds one, got {path}", code="key_missing") from error


def load_text(file: Path, kind: str) -> str:
    """Read a text file that an argument names.

    Raises:
        InputError: it cannot be read or is not UTF-8.
    """
    try:
        return read_bytes(file).decode()
    except UnicodeDecodeError as error:
        raise InputError(f"expected a {kind}, got {file}, which is no UTF-8 text", code="text_expected") from error


@app.command()
def receipt(
    file: Annotated[Path, typer.Argument(help="A receipt (tlog-proof).")],
    key: Key = None,
    show: Annotated[bool, typer.Option("--show", help="Print the whole entry.")] = False,
    opening: Annotated[
        Path | None,
        typer.Option(help="What opens the entry's commitments, as answers give it: JSON. It is checked and printed."),
    ] = None,
) -> None:
    """Verify, offline, that a receipt's entry is in the log that the key stands for."""
    verified = verify_receipt(load_text(file, "receipt"), load_vkey(key))
    opened = parse_opening(load_text(opening, "opening")) if opening is not None else {}
    verify_opening(opened, verified.entry.commitments)
    console.print(
        f"valid: entry {verified.index:,} of {verified.size:,} in {verified.origin}, "
        f"{verified.entry.type} at {verified.entry.at}",
        soft_wrap=True,
    )
    if show:
        show_json(verified.entry)
    for name, shown in opened.items():
        echo(f"{name}: {json.dumps(shown.value, ensure_ascii=False)}")


@app.command()
def membership(
    file: Annotated[Path, typer.Argument(help="A membership proof, as `sleeve ingest manifests prove` writes it.")],
    key: Key = None,
    image: Annotated[Path | None, typer.Option(help="The image that the proof has to be about.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was verified as JSON.")] = False,
) -> None:
    """Verify, offline, that an image is in a sealed manifest, or that it is not; the line says which."""
    sha256 = sha256_hex(read_bytes(image)) if image is not None else None
    verified = verify_membership(load_text(file, "membership proof"), load_vkey(key), sha256=sha256)
    if as_json:
        echo(json.dumps(asdict(verified), indent=2))
        return
    where = f"manifest {verified.manifest} of {verified.size:,} items, sealed {verified.sealed_at} in {verified.origin}"
    stands = f"is in {where}, as item {', '.join(verified.items)}" if verified.member else f"is not in {where}"
    console.print(f"valid: {verified.sha256} {stands}; root {verified.root}", soft_wrap=True)


@app.command()
def log(
    source: Annotated[
        str | None, typer.Argument(help="The log's folder, or the URL that it is served under; SLEEVE_HOME/log by default.")
    ] = None,
    key: Key = None,
) -> None:
    """Recompute a whole log from its entries and compare it with its tiles and signed checkpoint."""
    report = verify_log(source or default_log(), load_vkey(key))
    console.print(f"valid: {report.size:,} entries in {report.origin}, root {report.root.hex()}", soft_wrap=True)


@app.command()
def consistency(
    old: Annotated[Path, typer.Argument(help="The older checkpoint, a file.")],
    new: Annotated[Path, typer.Argument(help="The newer checkpoint, a file.")],
    source: Annotated[
        str | None,
        typer.Option("--log", help="A copy of the log, folder or URL, to build the proof from; SLEEVE_HOME/log by default."),
    ] = None,
    key: Key = None,
) -> None:
    """Verify that the log only grew from one checkpoint to another: nothing removed, nothing changed, no fork."""
    vkey = load_vkey(key)
    older, newer = (verify_checkpoint(load_text(file, "checkpoint"), vkey) for file in (old, new))
    verify_growth(older, newer, source or default_log())
    console.print(
        f"valid: {newer.origin} grew from {older.size:,} to {newer.size:,} entries, root {newer.root.hex()}", soft_wrap=True
    )


def default_log() -> Path:
    """Return the folder of this home's own log."""
    return load_home() / "log"


def load_home() -> Path:
    """Return the home folder of the settings, which a verifier who names key and log needs none of."""
    return load_settings().home
