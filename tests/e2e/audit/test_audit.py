"""The audit from end to end on a small real model: figures that add up, a log that proves them, runs that repeat."""

import json
import shutil
from pathlib import Path

import pytest

from services.audit.audits.audit import audit_model
from services.audit.models.trained_models import train_model
from services.audit.reports.kinds.audit_report import write_report
from services.audit.sampling.sample_shards import begin_shards, load_samples, save_shard
from services.audit.sampling.samples import sample_model
from services.audit.training_sets.sealed_set import load_sealed_set
from shared.canonical import sha256_hex
from shared.errors import ConflictError, CorruptStateError, InputError, NotFoundError
from shared.ledger.verify import verify_log, verify_receipt
from shared.matching.panel.panel import rule_names
from shared.records.items import load_item
from shared.records.manifests import seal_manifest
from shared.records.models import list_audits, load_model_record
from shared.workspace import Workspace
from tests.e2e.conftest import CONFIG, GENERATIONS, SLICE, STEPS, Audited, audit_context, save_noisy_copies


def test_the_figures_add_up(audited: Audited) -> None:
    content = audited.content
    generations = content["generations"]
    fired = [one for one in generations if one["copy"]]
    assert content["copies"]["hits"] == len(fired)
    assert content["copies"]["trials"] == len(generations) == GENERATIONS
    assert content["distinct_items_copied"] == sorted({one["item"] for one in fired})
    assert content["control_rate"]["trials"] == content["control"]["size"] == len(content["control_scores"])
    assert content["threshold"] == max(content["control_scores"])
    assert content["attained_rate"] == pytest.approx(1 / (content["control"]["size"] + 1))
    assert content["model"]["updates_per_image"] == pytest.approx(6 * 4 / SLICE)
    for one in generations:
        assert one["copy"] == (one["metrics"]["ssim"] > content["threshold"])
        at_least = sum(score >= one["metrics"]["ssim"] for score in content["control_scores"])
        assert one["p_value"] == pytest.approx((1 + at_least) / (content["control"]["size"] + 1))


def test_the_log_proves_the_audit(audited_workspace: Workspace, audited: Audited) -> None:
    verify_log(audited_workspace.log.folder, audited_workspace.log.vkey)
    [path] = (audited_workspace.home / "audits" / "model-a").glob("*/audit.json")
    assert json.loads(path.read_bytes()) == audited.content
    entry = json.loads(audited_workspace.log.entry(audited_workspace.log.size - 1))
    assert entry["type"] == "audit.completed"
    assert entry["body"]["report_sha256"] == sha256_hex(path.read_bytes())
    with audited_workspace.reading() as session:
        receipt = audited_workspace.log.receipt(load_model_record(session, "model-a").entry_id)
    body = verify_receipt(receipt, audited_workspace.log.vkey).entry.body
    assert body["manifest_root"] == audited.content["manifest"]["root"]
    assert body["weights_sha256"] == audited.content["model"]["weights_sha256"]


def test_everything_again_gives_the_same_and_logs_nothing(audited_workspace: Workspace, audited: Audited) -> None:
    size = audited_workspace.log.size
    train_model(audited_workspace, "model-a", "small", CONFIG)
    samples = sample_model(audited_workspace, "model-a", GENERATIONS, 0, STEPS)
    _, content = audit_model(audit_context(audited_workspace), "model-a", samples)
    assert content == audited.content
    assert audited_workspace.log.integrate().size == size


def test_a_model_is_trained_on_a_training_manifest_only(audited_workspace: Workspace) -> None:
    with pytest.raises(InputError) as caught:
        train_model(audited_workspace, "model-b", "small-control", CONFIG)
    assert caught.value.code == "manifest_purpose"
    with pytest.raises(NotFoundError):
        train_model(audited_workspace, "model-b", "nothing", CONFIG)
    with pytest.raises(ConflictError):
        train_model(audited_workspace, "model-a", "small", CONFIG.model_copy(update={"seed": 9}))


def test_a_control_may_not_overlap_the_training_set(audited_workspace: Workspace) -> None:
    sealed = load_sealed_set(audited_workspace, "small")
    with audited_workspace.writing() as session:
        seal_manifest(session, "overlapping", "control", [item.id for item in sealed.items])
    samples = sample_model(audited_workspace, "model-a", GENERATIONS, 0, STEPS)
    with pytest.raises(InputError) as caught:
        audit_model(audit_context(audited_workspace, control="overlapping"), "model-a", samples)
    assert caught.value.code == "control_overlaps"


def test_a_sealed_name_is_not_sealed_again_with_other_items(audited_workspace: Workspace) -> None:
    sealed = load_sealed_set(audited_workspace, "small")
    ids = [item.id for item in sealed.items]
    with audited_workspace.writing() as session:
        assert seal_manifest(session, "small", "train", ids[::-1]).id == sealed.manifest.id
        with pytest.raises(ConflictError):
            seal_manifest(session, "small", "train", ids[:-1])
        with pytest.raises(InputError, match="repeated"):
            seal_manifest(session, "twice", "train", [ids[0], ids[0]])
        load_item(session, ids[0]).state = "withdrawn"
        session.flush()
        with pytest.raises(InputError, match="withdrawn"):
            seal_manifest(session, "gone", "train", ids)


def test_the_report_is_one_file_and_says_what_it_must(audited_workspace: Workspace, audited: Audited, tmp_path: Path) -> None:
    samples = sample_model(audited_workspace, "model-a", GENERATIONS, 0, STEPS)
    audit, content = audit_model(audit_context(audited_workspace), "model-a", samples)
    write_report(audited_workspace, [(audit, content, samples)], tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    copies = audited.content["copies"]
    assert f"{copies['hits']} of {copies['trials']}" in page
    assert "It does not decide originality, substantial similarity, fair use or infringement." in page
    assert audited.content["model"]["weights_sha256"] in page
    assert audited_workspace.log.checkpoint().root.hex() in page
    assert 'src="http' not in page
    assert "<script" not in page


def test_copies_are_found_each_with_its_item(audited_workspace: Workspace, tmp_path: Path) -> None:
    samples = save_noisy_copies(audited_workspace, tmp_path / "samples")
    _, content = audit_model(audit_context(audited_workspace), "model-a", samples)
    assert content["copies"]["hits"] == SLICE
    ids = [item.id for item in load_sealed_set(audited_workspace, "small").items]
    assert [one["item"] for one in content["generations"]] == ids
    assert content["distinct_items_copied"] == sorted(ids)
    rules = {rule["name"]: rule for rule in content["rules"]}
    assert tuple(rules) == rule_names("pixels:16")
    for name in ("ssim", "ssim-turned", "fused", "l2-ratio", "tiled-l2"):
        assert (rules[name]["generations"]["hits"], rules[name]["distinct_items"]) == (SLICE, SLICE), name
        # Calibrated rules are held against halves of the control, of which the best one may fire by construction.
        assert rules[name]["control"]["hits"] <= (2 if rules[name]["threshold_from_control"] else 0), name
    # A slice this small has no fifty neighbours: the rule says so and fires for none.
    assert rules["carlini-adaptive"]["generations"] is None
    assert rules["carlini-adaptive"]["undefined"] == SLICE
    assert content["generations"][0]["rules"]["l2-ratio"] == {
        "verdict": "fired",
        "score": pytest.approx(0, abs=0.1),
        "item": ids[0],
    }
    pairs = {(one["first"], one["second"]): one for one in content["agreement"]}
    assert pairs["ssim", "tiled-l2"]["both"] == SLICE
    assert pairs["ssim", "carlini-adaptive"]["share"] is None
    assert content["duplicates"]["clusters"] == SLICE
    statistics = content["statistics"]
    assert statistics["shortlist_recall"]["value"] == 1.0
    assert statistics["authentic"]["hits"] == 0
    assert statistics["quality"]["distance"] > 0
    assert {item: kind["kind"] for item, kind in statistics["kinds"].items()} == dict.fromkeys(ids, "overfitting")
    assert [level["generations"]["hits"] for level in statistics["sweep"]][:2] == [SLICE, SLICE]


def test_samples_of_another_model_are_refused(audited_workspace: Workspace, tmp_path: Path) -> None:
    train_model(audited_workspace, "model-c", "small", CONFIG.model_copy(update={"seed": 5}))
    samples = save_noisy_copies(audited_workspace, tmp_path / "samples")
    with pytest.raises(ConflictError) as caught:
        audit_model(audit_context(audited_workspace), "model-c", samples)
    assert caught.value.code == "samples_of_other_model"


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [
        ("scheduler/scheduler_config.json", "prediction_type", "sample"),
        ("scheduler/scheduler_config.json", "clip_sample_range", 0.5),
        ("unet/config.json", "center_input_sample", True),
    ],
)
def test_a_model_that_was_configured_otherwise_since_is_not_sampled(
    audited_workspace: Workspace, part: str, key: str, value: object
) -> None:
    """The weights are those on record, and draw noise: a model that would be found to copy nothing."""
    path = audited_workspace.home / "models" / "model-a" / part
    path.write_text(json.dumps(json.loads(path.read_bytes()) | {key: value}), encoding="utf-8")
    with pytest.raises(CorruptStateError, match=key) as caught:
        sample_model(audited_workspace, "model-a", GENERATIONS, 900, STEPS)
    assert caught.value.code == "model_configuration_changed"
    assert not list((audited_workspace.home / "samples" / "model-a").glob("*-seed-900-*"))


def test_a_report_shows_no_other_generations_than_those_that_were_judged(
    audited_workspace: Workspace, audited: Audited, tmp_path: Path
) -> None:
    """Shards exchanged together with the file that names their digests: nothing in the folder contradicts it."""
    folder = sample_model(audited_workspace, "model-a", GENERATIONS, 0, STEPS)
    samples = load_samples(folder)
    assert audited.content["samples_sha256"] == samples.sha256
    shutil.rmtree(folder)
    digests = begin_shards(folder, samples.settings)
    save_shard(folder, samples.settings, digests, 255 - samples.images, samples.seeds)
    with audited_workspace.reading() as session:
        [audit] = list_audits(session, load_model_record(session, "model-a").id)
    with pytest.raises(CorruptStateError) as caught:
        write_report(audited_workspace, [(audit, audited.content, folder)], tmp_path / "report.html")
    assert caught.value.code == "samples_changed"
