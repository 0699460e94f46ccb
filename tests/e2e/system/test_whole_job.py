"""The whole job, register → seal → train → sample → audit → check, on both databases and with both kinds of embedder."""

from pathlib import Path

import open_clip
import pytest
import torch
from safetensors.torch import save_file

from services.audit.audits.audit import audit_model
from services.audit.comparison.context import AuditContext
from services.audit.models.trained_models import train_model
from services.audit.sampling.samples import sample_model
from services.audit.training_sets.sealed_set import load_sealed_set
from services.audit.training_sets.slices import draw_slice
from services.ingest.bulk.pipeline import register_rows
from services.ingest.sources.kinds.imagefolder import read_imagefolder
from services.output_gate.checks.answers import build_answer
from services.output_gate.checks.service import check_generation
from services.output_gate.opening import open_gate
from shared.ledger.verify import verify_log, verify_receipt
from shared.records.manifests import seal_manifest
from shared.settings import Settings
from shared.vision.embedders.sscd import build_network
from shared.vision.embedding import open_embedder
from shared.workspace import Workspace, open_workspace
from tests.e2e.conftest import CONFIG, STEPS
from tests.support.factories import imagefolder


def do_everything(workspace: Workspace, folder: Path) -> set[str]:
    """Return the rules that the audit and the gate's answers show."""
    rows = read_imagefolder(imagefolder(folder, 16), "works", "Ada", workspace.limits.max_bytes)
    assert register_rows(workspace, rows).created == 16
    with workspace.writing() as session:
        drawn = draw_slice(session, "works", 4, seed=1)
        seal_manifest(session, "train", "train", drawn.training)
        seal_manifest(session, "control", "control", drawn.held_out)
    workspace.log.integrate()
    train_model(workspace, "model", "train", CONFIG)
    samples = sample_model(workspace, "model", 4, 0, STEPS)
    embedder = open_embedder(workspace.settings.embedder)
    _, content = audit_model(AuditContext(workspace, "control", embedder, 1000, 0.001), "model", samples)
    assert content["copies"]["trials"] == 4
    gate = open_gate(workspace, patience_seconds=None)
    try:
        firsts = [load_sealed_set(workspace, name).items[0].blob_sha256 for name in ("train", "control")]
        checks = [check_generation(gate, "model", workspace.blobs.load(digest)) for digest in firsts]
        answers = [build_answer(gate.workspace, check) for check in checks]
    finally:
        gate.close()
    assert [answer.decision for answer in answers] == ["flag", "clear"]
    verdicts = {rule.rule: rule.verdict for rule in answers[0].rules}
    assert (verdicts["ssim"], verdicts["l2-ratio"], verdicts["carlini-adaptive"]) == ("fired", "fired", "undefined")
    assert answers[0].cluster == [answers[0].match.id if answers[0].match else None]
    for answer in answers:
        verify_receipt(answer.receipt, workspace.log.vkey)
        assert answer.embedder.startswith(embedder.name)
    verify_log(workspace.log.folder, workspace.log.vkey)
    audited = {rule["name"] for rule in content["rules"]}
    assert audited == verdicts.keys()
    return audited


def test_on_both_databases(any_workspace: Workspace, tmp_path: Path) -> None:
    do_everything(any_workspace, tmp_path / "in")


@pytest.mark.timeout(300)
def test_with_open_clip_from_a_checkpoint(tmp_path: Path) -> None:
    torch.manual_seed(0)
    torch.save(open_clip.create_model("ViT-S-32").state_dict(), tmp_path / "weights.pt")
    spec = f"open_clip:ViT-S-32:{tmp_path / 'weights.pt'}"
    workspace = open_workspace(Settings(home=tmp_path / "home", database_url=None, embedder=spec))
    assert "clip" in do_everything(workspace, tmp_path / "in")
    workspace.engine.dispose()


@pytest.mark.timeout(300)
def test_with_sscd_from_converted_weights(tmp_path: Path) -> None:
    torch.manual_seed(0)
    save_file(build_network().state_dict(), tmp_path / "weights.safetensors")
    spec = f"sscd:{tmp_path / 'weights.safetensors'}"
    workspace = open_workspace(Settings(home=tmp_path / "home", database_url=None, embedder=spec))
    assert "sscd" in do_everything(workspace, tmp_path / "in")
    workspace.engine.dispose()
