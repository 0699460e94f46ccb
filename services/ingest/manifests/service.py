"""Manifests as the service and the command line use them: sealed once for each request, shown in pages, proved about."""

from sqlmodel import Session, col, select

from services.ingest.manifests.schemas import LeafAnswer, ManifestAnswer, ManifestSummary, SealRequest, build_summary
from shared.canonical import canonical_json, sha256_hex
from shared.errors import InputError
from shared.http.paging import Page, decode_cursor, encode_cursor
from shared.ledger.manifest_proofs import DigestProof, prove_digest
from shared.ledger.membership import MembershipProof
from shared.records.idempotency import bind_effect, find_effect
from shared.records.items import load_dataset_items
from shared.records.manifests import Manifest, load_leaves, load_manifest, seal_manifest
from shared.workspace import Workspace

OPERATION = "manifests.seal"


def seal_once(workspace: Workspace, request: SealRequest, key: str | None = None) -> Manifest:
    """Seal what a request names; the same key and request again give the same manifest.

    Raises:
        InputError: no item, an item twice, or an item that is unknown, withdrawn or denied.
        ConflictError: the name is taken by another set, or the key by another request.
    """
    digest = sha256_hex(canonical_json(request.model_dump(mode="json")))
    with workspace.writing() as session:
        made_before = find_effect(session, OPERATION, key, digest)
        if made_before is not None:
            return load_manifest(session, made_before)
        manifest = seal_manifest(session, request.name, request.purpose, _chosen(session, request))
        bind_effect(session, OPERATION, key, digest, manifest.id)
        return manifest


def _chosen(session: Session, request: SealRequest) -> list[str]:
    if request.items is not None:
        return list(request.items)
    return [item.id for item in load_dataset_items(session, request.dataset or "")]


def build_manifest_answer(workspace: Workspace, manifest: Manifest) -> ManifestAnswer:
    """Describe a manifest, with the receipt of its sealing."""
    shown = manifest.model_dump(include={"id", "name", "purpose", "size", "root"})
    return ManifestAnswer(**shown, receipt=workspace.log.receipt(manifest.entry_id))


def page_of_manifests(workspace: Workspace, cursor: str | None, limit: int) -> Page[ManifestSummary]:
    """Return a page of manifests, oldest first.

    Raises:
        InputError: the cursor is none of ours.
    """
    after = decode_cursor(cursor) if cursor else ""
    query = select(Manifest).where(col(Manifest.id) > after).order_by(col(Manifest.id)).limit(limit + 1)
    with workspace.reading() as session:
        found = list(session.exec(query))
    following = encode_cursor(found[limit - 1].id) if len(found) > limit else None
    return Page(items=[build_summary(one) for one in found[:limit]], next_cursor=following)


def page_of_leaves(workspace: Workspace, name: str, cursor: str | None, limit: int) -> Page[LeafAnswer]:
    """Return a page of a manifest's leaves, in its own order.

    Raises:
        NotFoundError: there is no such manifest.
        InputError: the cursor is none of ours.
    """
    start = _parse_start(cursor)
    with workspace.reading() as session:
        manifest = load_manifest(session, name)
        leaves = load_leaves(session, manifest.id, start, limit)
    following = start + limit
    shown = [LeafAnswer(blob=leaf.blob, entry=leaf.entry, item=leaf.item) for leaf in leaves]
    return Page(items=shown, next_cursor=encode_cursor(str(following)) if following < manifest.size else None)


def _parse_start(cursor: str | None) -> int:
    if cursor is None:
        return 0
    position = decode_cursor(cursor)
    # Digits of other scripts are decimal to Python as well; a manifest has at most a million items.
    if not (position.isascii() and position.isdecimal() and len(position) < 10):
        raise InputError(f"cursor cannot be read: {cursor!r}", code="cursor_invalid")
    return int(position)


def prove_membership(workspace: Workspace, name: str, sha256: str) -> DigestProof:
    """Prove that a digest is in a manifest, or that it is not.

    Raises:
        NotFoundError: there is no such manifest.
    """
    with workspace.reading() as session:
        leaves = load_leaves(session, load_manifest(session, name).id)
    return prove_digest(leaves, sha256)


def build_membership_proof(workspace: Workspace, name: str, sha256: str) -> MembershipProof:
    """Build what verifies offline: the proof, and the receipt of the manifest's sealing.

    Raises:
        NotFoundError: there is no such manifest.
    """
    with workspace.reading() as session:
        manifest = load_manifest(session, name)
    receipt = workspace.log.receipt(manifest.entry_id)
    return MembershipProof(manifest=manifest.name, receipt=receipt, proof=prove_membership(workspace, name, sha256))
