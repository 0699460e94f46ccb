"""Manifests as the API and the command line use them: sealed, shown in pages, and proved about."""

import structlog
from sqlmodel import Session, col, select

from services.ingest.manifests.schemas import LeafAnswer, ManifestAnswer, ManifestSummary, SealRequest, build_summary
from services.ingest.manifests.stored_tree import open_tree, store_tree
from shared.errors import CorruptStateError, ForbiddenError, InputError, UnavailableError, VerificationError
from shared.http.paging import Page, PageRequest
from shared.idempotency import once
from shared.ledger.manifest_proofs import DigestProof, prove_digest, verify_digest_proof
from shared.ledger.membership import NAME, MembershipProof
from shared.receipts import prove_entry
from shared.records.items import load_dataset_items
from shared.records.manifests import Manifest, load_leaves, load_manifest, seal_manifest
from shared.records.openings import load_opening
from shared.workspace import Workspace

OPERATION = "manifests.seal"

log = structlog.get_logger()


def seal_items(workspace: Workspace, request: SealRequest, idempotency_key: str | None = None) -> ManifestAnswer:
    """Seal the items that a request names, and return the manifest with the receipt of its sealing.

    The same items sealed again under the same name are the same manifest.

    Raises:
        InputError: no item, an item twice, or an item that is unknown, withdrawn or denied.
        ConflictError: the name is taken by another set, or the key by another request.
    """

    def seal(session: Session) -> str:
        return seal_manifest(session, request.name, request.purpose, _select_items(session, request)).id

    effect = once(workspace, OPERATION, idempotency_key, request.model_dump(mode="json"), seal)
    _store_tree(workspace, effect.resource_id)
    return show_manifest(workspace, effect.resource_id)


def _store_tree(workspace: Workspace, manifest_id: str) -> None:
    """Write the hashes that proofs will need. The manifest is sealed without them, too."""
    try:
        with workspace.reading() as session:
            manifest = load_manifest(session, manifest_id)
        store_tree(workspace, manifest)
    except (OSError, UnavailableError) as error:
        log.warning("tree_not_stored", manifest=manifest_id, error=type(error).__name__)


def _select_items(session: Session, request: SealRequest) -> list[str]:
    if request.items is not None:
        return list(request.items)
    return [item.id for item in load_dataset_items(session, request.dataset or "")]


def show_manifest(workspace: Workspace, name_or_id: str) -> ManifestAnswer:
    """Return a manifest with the receipt of its sealing.

    Raises:
        NotFoundError: there is no such manifest.
    """
    with workspace.reading() as session:
        manifest = load_manifest(session, name_or_id)
    fields = manifest.model_dump(include={"id", "name", "purpose", "size", "root"})
    return ManifestAnswer(**fields, **prove_entry(workspace, manifest.entry_id))


def page_of_manifests(workspace: Workspace, page: PageRequest) -> Page[ManifestSummary]:
    """Return a page of manifests, oldest first.

    Raises:
        InputError: the cursor is none of ours.
    """
    query = select(Manifest).where(col(Manifest.id) > page.position).order_by(col(Manifest.id)).limit(page.rows_to_load)
    with workspace.reading() as session:
        manifests = list(session.exec(query))
    return page.build(manifests, lambda manifest: manifest.id, lambda rows: list(map(build_summary, rows)))


def page_of_leaves(workspace: Workspace, name: str, page: PageRequest) -> Page[LeafAnswer]:
    """Return a page of a manifest's leaves, in its own order.

    Raises:
        NotFoundError: there is no such manifest.
        InputError: the cursor is none of ours.
    """
    start = _parse_start(page)
    with workspace.reading() as session:
        leaves = load_leaves(session, load_manifest(session, name).id, start, page.rows_to_load)
    return page.build(
        leaves,
        lambda _leaf: str(start + page.limit),
        lambda rows: [LeafAnswer(blob=leaf.blob, entry=leaf.entry, item=leaf.item) for leaf in rows],
    )


def _parse_start(page: PageRequest) -> int:
    position = page.position or "0"
    # Digits of other scripts are decimal to Python as well; a manifest has at most a million items.
    if not (position.isascii() and position.isdecimal() and len(position) < 10):
        raise InputError(f"cursor cannot be read: {page.cursor!r}", code="cursor_invalid")
    return int(position)


def prove_membership(workspace: Workspace, name: str, sha256: str, *, shows_absence: bool = True) -> DigestProof:
    """Prove that a digest is in a manifest, or that it is not.

    Args:
        workspace: whose manifest.
        name: name or id of the manifest.
        sha256: of an image's bytes.
        shows_absence: whether the caller may see the two leaves between which a digest is missing.

    Raises:
        NotFoundError: there is no such manifest.
        ForbiddenError: the digest is not in it, and the caller may not see how that is proved.
        UnavailableError: the hashes that a proof needs are still being written.
        CorruptStateError: the records of the manifest's items no longer give the root that was sealed.
    """
    proof = _build_proof(workspace, name, sha256)
    if not proof.member and not shows_absence:
        raise ForbiddenError(
            "the digest is not in the manifest; the proof shows two of its leaves: expected a key with the scope "
            "manifests:read, or the picture itself by POST",
            code="absence_not_shown",
        )
    return proof


def _build_proof(workspace: Workspace, name: str, sha256: str) -> DigestProof:
    with workspace.reading() as session:
        manifest = load_manifest(session, name)
        try:
            return _prove(workspace, session, manifest, sha256)
        except (CorruptStateError, VerificationError):
            log.warning("tree_damaged", manifest=manifest.id)
            store_tree(workspace, manifest, anew=True)
        try:
            return _prove(workspace, session, manifest, sha256)
        except VerificationError as error:
            raise CorruptStateError(
                f"records of manifest {manifest.name}: {error.message}", code="manifest_damaged"
            ) from error


def _prove(workspace: Workspace, session: Session, manifest: Manifest, sha256: str) -> DigestProof:
    with open_tree(workspace, session, manifest) as tree:
        proof = prove_digest(tree, sha256)
    verify_digest_proof(proof, manifest.root, manifest.size)
    return proof


def build_membership_proof(workspace: Workspace, name: str, sha256: str, *, shows_absence: bool = True) -> MembershipProof:
    """Build what verifies offline: the proof, and the receipt of the manifest's sealing.

    The manifest is called what the caller called it. Its name is opened only where the caller gave it.

    Raises:
        NotFoundError: there is no such manifest.
        ForbiddenError: as for `prove_membership`.
    """
    proof = prove_membership(workspace, name, sha256, shows_absence=shows_absence)
    with workspace.reading() as session:
        manifest = load_manifest(session, name)
        opening = load_opening(session, manifest.entry_id) if name == manifest.name else {}
    return MembershipProof(
        manifest=name,
        receipt=workspace.log.receipt(manifest.entry_id),
        proof=proof,
        opening={field: shown for field, shown in opening.items() if field == NAME},
    )
