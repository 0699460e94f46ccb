"""`/v1/manifests`: sealing, and proofs of what is in a manifest and what is not."""

from typing import Annotated, Literal, Self

from fastapi import APIRouter, Header, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlmodel import Session

from shared.canonical import canonical_json, sha256_hex
from shared.errors import InputError
from shared.paging import Page, decode_cursor, encode_cursor
from shared.problems import PROBLEM_RESPONSES
from shared.records.idempotency import bind_effect, find_effect
from shared.records.items import load_dataset_items
from shared.records.manifest_proofs import DigestProof, prove_digest
from shared.records.manifests import Manifest, load_leaves, load_manifest, seal_manifest
from shared.workspace import Workspace

router = APIRouter(prefix="/v1/manifests", tags=["manifests"], responses=PROBLEM_RESPONSES)

OPERATION = "manifests.seal"
Digest = Annotated[str, Path(pattern="^[0-9a-f]{64}$", description="SHA-256 of an image's bytes.")]


class SealRequest(BaseModel):
    """What to seal: items by id, or every active item of a data set."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=100)
    purpose: Literal["train", "control"]
    items: tuple[str, ...] | None = Field(default=None, min_length=1, max_length=1_000_000)
    dataset: str | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.items is None) == (self.dataset is None):
            raise ValueError("expected either items or dataset")
        return self


class ManifestAnswer(BaseModel):
    """A manifest as sealed."""

    id: str
    name: str
    purpose: str
    size: int
    root: str
    receipt: str


class LeafAnswer(BaseModel):
    """One leaf: digest of the item's bytes, leaf hash of its registration entry, its id."""

    blob: str
    entry: str
    item: str


@router.post("", status_code=201, summary="Seal a manifest")
def create_manifest(
    request: Request,
    response: Response,
    body: SealRequest,
    idempotency_key: Annotated[str | None, Header(max_length=255)] = None,
) -> ManifestAnswer:
    """Seal a set of items under one Merkle root and log it. Sealing the same set under the same name again changes nothing."""
    workspace: Workspace = request.app.state.workspace
    digest = sha256_hex(canonical_json(body.model_dump(mode="json")))
    with workspace.writing() as session:
        made_before = find_effect(session, OPERATION, idempotency_key, digest)
        if made_before is not None:
            manifest = load_manifest(session, made_before)
        else:
            manifest = seal_manifest(session, body.name, body.purpose, _chosen(session, body))
            bind_effect(session, OPERATION, idempotency_key, digest, manifest.id)
    response.headers["Location"] = f"/v1/manifests/{manifest.name}"
    return _answer(workspace, manifest)


def _chosen(session: Session, body: SealRequest) -> list[str]:
    if body.items is not None:
        return list(body.items)
    return [item.id for item in load_dataset_items(session, body.dataset or "")]


def _answer(workspace: Workspace, manifest: Manifest) -> ManifestAnswer:
    shown = manifest.model_dump(include={"id", "name", "purpose", "size", "root"})
    return ManifestAnswer(**shown, receipt=workspace.log.receipt(manifest.entry_id))


@router.get("/{name}", summary="Show one manifest")
def get_manifest(request: Request, name: str) -> ManifestAnswer:
    """Answer with a manifest's root and size, and the receipt of its sealing."""
    workspace: Workspace = request.app.state.workspace
    with workspace.reading() as session:
        manifest = load_manifest(session, name)
    return _answer(workspace, manifest)


@router.get("/{name}/items", summary="List the leaves of a manifest")
def list_manifest_items(
    request: Request,
    name: str,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Page[LeafAnswer]:
    """Answer with a page of leaves, in the manifest's order; anyone can recompute the root from all of them."""
    workspace: Workspace = request.app.state.workspace
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
    if not position.isdecimal():
        raise InputError(f"cursor cannot be read: {cursor!r}", code="cursor_invalid")
    return int(position)


@router.get("/{name}/proofs/{sha256}", summary="Prove that an image is in a manifest, or that it is not")
def get_proof(request: Request, name: str, sha256: Digest) -> DigestProof:
    """Answer with a proof that anyone can check against the manifest's root in the log."""
    workspace: Workspace = request.app.state.workspace
    with workspace.reading() as session:
        leaves = load_leaves(session, load_manifest(session, name).id)
    return prove_digest(leaves, sha256)
