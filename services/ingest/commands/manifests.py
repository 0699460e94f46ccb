"""`sleeve ingest manifests`: seal sets of items, show them, and prove what is in them and what is not."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from services.ingest.manifests.schemas import ManifestAnswer, SealRequest
from services.ingest.manifests.service import (
    build_membership_proof,
    page_of_leaves,
    page_of_manifests,
    seal_items,
    show_manifest,
)
from shared.canonical import sha256_hex
from shared.command_line.console import console, show_page
from shared.command_line.options import EXIT_STATUS, AsJson, Cursor, Limit, build_request, read_bytes, read_lines, show_json
from shared.command_line.workspace import open_home
from shared.errors import InputError
from shared.files import save_atomically
from shared.http.paging import PageRequest

app = typer.Typer(help="Seal sets of items and prove what is in them.", epilog=EXIT_STATUS, no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Name or id of the manifest.")]


@app.command()
def seal(
    name: Annotated[str, typer.Argument(help="Name of the new manifest.")],
    purpose: Annotated[str, typer.Option(help="`train` or `control`.")] = "train",
    dataset: Annotated[str | None, typer.Option(help="Every active item of this data set that no signal denies.")] = None,
    item: Annotated[list[str] | None, typer.Option(help="Id of an item; to be given once for each.")] = None,
    items_file: Annotated[Path | None, typer.Option(help="File with the ids of items, one a line.")] = None,
    as_json: AsJson = False,
) -> None:
    """Seal items under one Merkle root and log it. Sealing the same items under the same name again changes nothing."""
    ids = [*(item or []), *(read_lines(items_file) if items_file else [])]
    fields = {"name": name, "purpose": purpose, "dataset": dataset, "items": ids if item or items_file else None}
    request = build_request(SealRequest, fields)
    print_manifest(seal_items(open_home(), request), as_json=as_json)


@app.command("list")
def list_manifests(limit: Limit = 50, cursor: Cursor = None, as_json: AsJson = False) -> None:
    """List manifests, oldest first."""
    page = page_of_manifests(open_home(), PageRequest(cursor, limit))
    if as_json:
        show_json(page)
        return
    table = Table("name", "purpose", "items", "sealed", "root")
    for manifest in page.items:
        table.add_row(manifest.name, manifest.purpose, f"{manifest.size:,}", manifest.sealed_at, manifest.root)
    show_page(table, page.next_cursor)


@app.command()
def show(name: Name, as_json: AsJson = False) -> None:
    """Show a manifest's size and root; as JSON with the receipt of its sealing."""
    print_manifest(show_manifest(open_home(), name), as_json=as_json)


@app.command()
def items(name: Name, limit: Limit = 100, cursor: Cursor = None, as_json: AsJson = False) -> None:
    """List the leaves of a manifest, in its own order."""
    page = page_of_leaves(open_home(), name, PageRequest(cursor, limit))
    if as_json:
        show_json(page)
        return
    table = Table("SHA-256", "item", "entry's leaf hash")
    for leaf in page.items:
        table.add_row(leaf.blob, leaf.item, leaf.entry)
    show_page(table, page.next_cursor)


@app.command()
def prove(
    name: Name,
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write the proof.")],
    sha256: Annotated[str | None, typer.Option(help="Digest of an image's bytes.")] = None,
    image: Annotated[Path | None, typer.Option(help="The image, instead of its digest.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write a proof that an image is in a manifest, or that it is not; `sleeve verify membership` checks it offline."""
    if (sha256 is None) == (image is None):
        raise InputError("expected either --sha256 or --image", code="invalid_request")
    digest = sha256 if sha256 is not None else sha256_hex(read_bytes(image)) if image is not None else ""
    if len(digest) != 64 or set(digest) - set("0123456789abcdef"):
        raise InputError(f"expected a SHA-256 of 64 lower-case hexadecimal digits, got {digest!r}", code="invalid_request")
    proof = build_membership_proof(open_home(), name, digest)
    save_atomically(output, (proof.model_dump_json(indent=2) + "\n").encode())
    if as_json:
        show_json(proof)
        return
    statement = f"is in {proof.manifest}" if proof.proof.member else f"is not in {proof.manifest}"
    console.print(f"{digest} {statement}, {proof.proof.size:,} items; proof: {output}", soft_wrap=True)


def print_manifest(manifest: ManifestAnswer, *, as_json: bool) -> None:
    """Print a manifest."""
    if as_json:
        show_json(manifest)
        return
    table = Table(show_header=False, title=f"manifest {manifest.name}")
    for label, value in (("id", manifest.id), ("purpose", manifest.purpose), ("items", f"{manifest.size:,}")):
        table.add_row(label, value)
    table.add_row("root", manifest.root)
    console.print(table)
