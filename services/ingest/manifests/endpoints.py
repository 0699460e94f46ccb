"""`/v1/manifests`: sealing, and proofs of what is in a manifest and what is not."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

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


@router.get("/{name}/proofs/{sha256}", dependencies=PUBLIC, summary="Prove that an image is in a manifest, or that it is not")
def get_proof(workspace: CurrentWorkspace, name: str, sha256: Digest) -> DigestProof:
    """Answer with a proof that anyone can check against the manifest's root in the log."""
    return prove_membership(workspace, name, sha256)


@router.get("/{name}/membership/{sha256}", dependencies=PUBLIC, summary="Fetch a membership proof that verifies offline")
def get_membership(workspace: CurrentWorkspace, name: str, sha256: Digest) -> MembershipProof:
    """Answer with the proof and the receipt of the manifest's sealing in one file, for `sleeve verify membership`."""
    return build_membership_proof(workspace, name, sha256)
