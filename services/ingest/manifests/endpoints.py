"""`/v1/manifests`: sealing, and proofs of what is in a manifest and what is not."""

from typing import Annotated

from fastapi import APIRouter, Depends, File, Path, Query, Response, UploadFile

from services.ingest.manifests.absence import LIMITED, ShowsAbsence, verify_may_show_picture
from services.ingest.manifests.schemas import LeafAnswer, ManifestAnswer, ManifestSummary, SealRequest
from services.ingest.manifests.service import (
    build_membership_proof,
    page_of_leaves,
    page_of_manifests,
    prove_membership,
    seal_items,
    show_manifest,
)
from shared.auth.access import PUBLIC, needs
from shared.canonical import sha256_hex
from shared.errors import InputError
from shared.http.conditional import ConditionalRoute
from shared.http.dependencies import CurrentWorkspace, PageQuery
from shared.http.idempotency import Key
from shared.http.paging import Page, PageRequest
from shared.http.problems import PROBLEM_RESPONSES
from shared.ledger.manifest_proofs import DigestProof
from shared.ledger.membership import MembershipProof

router = APIRouter(prefix="/v1/manifests", tags=["manifests"], responses=PROBLEM_RESPONSES, route_class=ConditionalRoute)

Digest = Annotated[str, Path(pattern="^[0-9a-f]{64}$", description="SHA-256 of an image's bytes.")]


@router.post("", status_code=201, dependencies=needs("manifests:write"), summary="Seal a manifest")
def create_manifest(
    workspace: CurrentWorkspace, response: Response, body: SealRequest, idempotency_key: Key = None
) -> ManifestAnswer:
    """Seal a set of items under one Merkle root and log it. Sealing the same set under the same name again changes nothing."""
    answer = seal_items(workspace, body, idempotency_key)
    response.headers["Location"] = f"/v1/manifests/{answer.name}"
    return answer


@router.get("", dependencies=needs("manifests:read"), summary="List manifests")
def list_manifests(workspace: CurrentWorkspace, page: PageQuery) -> Page[ManifestSummary]:
    """Answer with a page of manifests, oldest first."""
    return page_of_manifests(workspace, page)


@router.get("/{name}", dependencies=needs("manifests:read"), summary="Show one manifest")
def get_manifest(workspace: CurrentWorkspace, name: str) -> ManifestAnswer:
    """Answer with a manifest's root and size, and the receipt of its sealing."""
    return show_manifest(workspace, name)


@router.get("/{name}/items", dependencies=needs("manifests:read"), summary="List the leaves of a manifest")
def list_manifest_items(
    workspace: CurrentWorkspace,
    name: str,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Page[LeafAnswer]:
    """Answer with a page of leaves, in the manifest's order; anyone can recompute the root from all of them."""
    return page_of_leaves(workspace, name, PageRequest(cursor, limit))


@router.get(
    "/{name}/proofs/{sha256}",
    responses=LIMITED,
    dependencies=PUBLIC,
    summary="Prove that an image is in a manifest, or that it is not",
)
def get_proof(workspace: CurrentWorkspace, name: str, sha256: Digest, shows_absence: ShowsAbsence) -> DigestProof:
    """Answer with a proof that anyone can check against the manifest's root in the log.

    Without a key with `manifests:read` it answers about images that are in the manifest, and about others with 403: the
    proof that an image is absent shows two leaves that are there.
    """
    return prove_membership(workspace, name, sha256, shows_absence=shows_absence)


@router.get(
    "/{name}/membership/{sha256}",
    responses=LIMITED,
    dependencies=PUBLIC,
    summary="Fetch a membership proof that verifies offline",
)
def get_membership(workspace: CurrentWorkspace, name: str, sha256: Digest, shows_absence: ShowsAbsence) -> MembershipProof:
    """Answer with the proof and the receipt of the manifest's sealing in one file, for `sleeve verify membership`.

    Without a key with `manifests:read` it answers about images that are in the manifest, and about others with 403.
    """
    return build_membership_proof(workspace, name, sha256, shows_absence=shows_absence)


@router.post(
    "/{name}/membership",
    responses=LIMITED,
    dependencies=[*PUBLIC, Depends(verify_may_show_picture)],
    summary="Prove about a picture itself that it is in a manifest, or that it is not",
)
def post_membership(
    workspace: CurrentWorkspace,
    name: str,
    image: Annotated[UploadFile, File(description="The picture, byte for byte as it may be in the manifest.")],
) -> MembershipProof:
    """Answer with the proof that the very bytes of a picture are in a manifest, or that they are not; nothing is stored.

    Without a key with `manifests:read` a caller may ask a few times an hour.
    """
    data = image.file.read(workspace.limits.max_bytes + 1)
    if len(data) > workspace.limits.max_bytes:
        raise InputError(f"expected a picture of at most {workspace.limits.max_bytes:,} bytes", code="image_too_large")
    return build_membership_proof(workspace, name, sha256_hex(data))
