"""Membership proofs as files: they hold offline, and nothing in them can be changed."""

import json
from pathlib import Path

import pytest

from services.ingest.manifests.schemas import SealRequest
from services.ingest.manifests.service import build_membership_proof, seal_items
from shared.canonical import sha256_hex
from shared.errors import InputError, SleeveError, VerificationError
from shared.ledger.membership import verify_membership
from shared.workspace import Workspace
from tests.support.factories import png, register


def proof_text(workspace: Workspace, seed: int) -> str:
    for number in range(5):
        register(workspace, f"{number}.png", png(number))
    seal_items(workspace, SealRequest(name="m", purpose="train", dataset="works"))
    return build_membership_proof(workspace, "m", sha256_hex(png(seed))).model_dump_json()


@pytest.mark.parametrize(("seed", "member"), [(2, True), (99, False)])
def test_a_proof_holds_with_nothing_but_the_key(workspace: Workspace, seed: int, member: bool) -> None:
    text, digest = proof_text(workspace, seed), sha256_hex(png(seed))
    found = verify_membership(text, workspace.log.vkey, sha256=digest)
    assert (found.sha256, found.member, len(found.items), found.manifest, found.size) == (digest, member, int(member), "m", 5)
    with pytest.raises(VerificationError, match="about"):
        verify_membership(text, workspace.log.vkey, sha256="00" * 32)


def changed(text: str, *path: str | int, value: object) -> str:
    content = json.loads(text)
    place = content
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return json.dumps(content)


def test_no_part_can_be_changed(workspace: Workspace, tmp_path: Path) -> None:
    text = proof_text(workspace, 2)
    leaf = json.loads(text)["proof"]["leaves"][0]
    index = leaf["index"]
    for bad in (
        changed(text, "manifest", value="other"),
        changed(text, "opening", value={}),
        changed(text, "opening", "body.name", "value", value="other"),
        changed(text, "opening", "body.name", "salt", value="00" * 32),
        changed(text, "opening", value={"body.nothing": {"value": 1, "salt": "00" * 32}}),
        changed(text, "proof", "member", value=False),
        changed(text, "proof", "sha256", value="00" * 32),
        changed(text, "proof", "size", value=6),
        changed(text, "proof", "root", value="00" * 32),
        changed(text, "proof", "leaves", value=[]),
        changed(text, "proof", "leaves", 0, "item", value="another"),
        changed(text, "proof", "leaves", 0, "index", value=(index + 1) % 5),
        changed(text, "proof", "leaves", 0, "index", value=-1),
        changed(text, "proof", "leaves", 0, "proof", value=leaf["proof"][:-1]),
        changed(text, "proof", "leaves", 0, "proof", 0, value="xy"),
        changed(text, "receipt", value=workspace.log.receipt(1)),
        changed(text, "receipt", value=""),
    ):
        with pytest.raises(SleeveError):
            verify_membership(bad, workspace.log.vkey)
    for none in ("", "{}", "[]", changed(text, "format", value="sleeve.membership/2")):
        with pytest.raises(InputError):
            verify_membership(none, workspace.log.vkey)
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(SleeveError):
        verify_membership(text, "other.invalid/log+00000000+AAAA")
