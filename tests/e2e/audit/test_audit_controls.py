"""Controls broken on purpose: the audit fails for the right reason, says so everywhere, and the gate does not use it."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from services.audit.audits.audit import audit_calibrated, audit_model
from services.audit.commands.options import EXIT_VOID
from services.audit.controls import exact_optimum
from services.audit.controls.calibration import calibrate_model
from services.audit.reports.kinds.audit_report import write_report
from services.audit.sampling.sample import draw_batch
from services.audit.sampling.samples import sample_model
from services.audit.training_sets.sealed_set import load_sealed_set
from services.commands.main import app
from services.output_gate.corpora import NotReadyError
from services.output_gate.opening import open_gate
from shared.errors import InputError
from shared.matching.calibration.null_distribution import NullDistribution
from shared.matching.panel import panel
from shared.matching.panel.registry import load_rules
from shared.matching.training_set.training_set import TrainingSet
from shared.matching.training_set.training_set_store import load_training_set
from shared.records.manifests import seal_manifest
from shared.records.models import Audit, list_calibrations, load_model_record
from shared.vision.views import Pixels, ViewRecipe
from shared.workspace import Workspace
from tests.e2e.conftest import GENERATIONS, SLICE, STEPS, Audited, audit_context
from tests.support.factories import encode, register
from tests.support.log_entries import open_entry


def audit(workspace: Workspace, control: str = "small-control") -> tuple[Audit, dict[str, Any]]:
    samples = sample_model(workspace, "model-a", GENERATIONS, 0, STEPS)
    return audit_model(audit_context(workspace, control=control), "model-a", samples)


def failed(content: dict[str, Any]) -> set[tuple[str, str]]:
    return {
        (control["name"], check["rule"])
        for control in content["controls"]
        for check in control["checks"]
        if check["passed"] is False
    }


def test_a_sound_audit_passes_its_controls(audited: Audited) -> None:
    content = audited.content
    assert content["state"] == "completed"
    controls = {control["name"]: control for control in content["controls"]}
    assert {name: control["passed"] for name, control in controls.items()} == dict.fromkeys(
        ("copycat", "exact-optimum", "held-out"), True
    )
    checks = {check["rule"]: check for check in controls["copycat"]["checks"]}
    assert checks["ssim"]["figures"] == {
        "fired": SLICE,
        "found": SLICE,
        "trials": SLICE,
        "threshold": content["threshold"],
    }
    # A slice of six has no fifty neighbours: that rule is undefined, with its reason, and fails nothing.
    assert (checks["carlini-adaptive"]["passed"], checks["carlini-adaptive"]["figures"]) == (None, {})
    assert "fewer than 50" in checks["carlini-adaptive"]["reason"]


def test_a_pipeline_that_confuses_its_views_is_void(audited_workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:

    def shuffled(folder: Path, root: str, recipe: ViewRecipe, blobs: Sequence[str], views: Pixels) -> TrainingSet:
        return load_training_set(folder, root, recipe, blobs, np.asarray(views)[::-1])

    monkeypatch.setattr("services.audit.comparison.matching.load_training_set", shuffled)
    recorded, content = audit(audited_workspace)
    assert recorded.state == content["state"] == "failed"
    assert ("copycat", "ssim") in failed(content)
    [check] = [one for one in content["controls"][0]["checks"] if one["rule"] == "ssim"]
    # It fires all the same: only the name of what was copied is wrong.
    assert (check["figures"]["fired"], check["figures"]["found"]) == (SLICE, 0)


def test_a_rule_that_never_fires_is_void(audited_workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    absurd = tuple(replace(rule, threshold=-1.0) if rule.name == "l2-ratio" else rule for rule in load_rules())
    monkeypatch.setattr(panel, "load_rules", lambda: absurd)
    _, content = audit(audited_workspace)
    assert failed(content) == {("copycat", "l2-ratio"), ("exact-optimum", "l2-ratio")}


def test_a_threshold_that_fires_too_often_is_void(audited_workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NullDistribution, "threshold", lambda self, _rate: float(np.median(self.scores)))
    _, content = audit(audited_workspace)
    assert failed(content) == {("held-out", rule) for rule in ("ssim", "ssim-turned", "works", "fused")}


def test_a_sampler_that_distorts_what_it_drew_is_void(audited_workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exact_optimum, "draw_batch", lambda *arguments: np.roll(255 - draw_batch(*arguments), 5, axis=-1))
    _, content = audit(audited_workspace)
    assert {control for control, _ in failed(content)} == {"exact-optimum"}
    assert ("exact-optimum", "ssim") in failed(content)


@pytest.fixture
def control_with_near_copy(audited_workspace: Workspace) -> str:
    """A control that holds a training picture with slight noise under other bytes."""
    training, control = (load_sealed_set(audited_workspace, name) for name in ("small", "small-control"))
    with Image.open(audited_workspace.blobs.path(training.blobs[0])) as original:
        pixels = np.asarray(original.convert("RGB")).astype(int)
    noisy = np.clip(pixels + np.random.default_rng(0).integers(-1, 2, pixels.shape), 0, 255).astype(np.uint8)
    item = register(audited_workspace, "near.png", encode(Image.fromarray(noisy)))
    with audited_workspace.writing() as session:
        seal_manifest(session, "near", "control", [*(one.id for one in control.items), item.id])
    return "near"


def test_a_control_with_a_near_copy_is_void_and_says_so_everywhere(
    audited_workspace: Workspace, control_with_near_copy: str, tmp_path: Path
) -> None:
    recorded, content = audit(audited_workspace, control_with_near_copy)
    assert recorded.state == "failed"
    assert ("held-out", "ssim") in failed(content)
    [check] = [one for one in content["controls"][2]["checks"] if "near copies" in one["got"] and one["rule"] == "ssim"]
    assert (check["figures"]["near_copies"], check["figures"]["at_threshold"]) == (1, 1)
    proved = open_entry(audited_workspace, recorded.entry_id)
    assert proved.type == "audit.failed"
    assert {"control": "held-out", "rule": "ssim"} in proved.body["failed_controls"]
    assert "copies" not in proved.body
    samples = sample_model(audited_workspace, "model-a", GENERATIONS, 0, STEPS)
    write_report(audited_workspace, [(recorded, content, samples)], tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.index("The audit of model-a is void") < page.index('id="findings"')
    listed = (audited_workspace.home / recorded.folder / "near-copies.csv").read_text(encoding="utf-8").splitlines()
    assert (len(listed), "near.png" in listed[1]) == (2, True)
    assert "--distinct --resolution 16 --channels 3" in page[: page.index('id="findings"')]
    assert "of generations are copies" not in page  # no headline that could be quoted without its being void


def test_the_gate_keeps_to_the_calibration_that_passed(audited_workspace: Workspace, control_with_near_copy: str) -> None:
    with audited_workspace.reading() as session:
        model = load_model_record(session, "model-a")
        [sound] = list_calibrations(session, model.id)
    audit(audited_workspace, control_with_near_copy)
    gate = open_gate(audited_workspace)
    try:
        assert gate.load_ready_model(model).scores.sha256 == sound.sha256
        with audited_workspace.writing() as session:
            newest, kept = list_calibrations(session, model.id)
            assert "fused" in newest.unsound_rules
            kept.unsound_rules = {"fused": 0.001}
            session.add(kept)
        with pytest.raises(NotReadyError) as caught:
            gate.load_ready_model(model)
        assert caught.value.code == "control_failed"
    finally:
        gate.close()


def test_a_failure_is_lifted_by_a_pass_at_the_same_rate_only(
    audited_workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsound() -> dict[str, float]:
        with audited_workspace.reading() as session:
            return list_calibrations(session, load_model_record(session, "model-a").id)[0].unsound_rules

    samples = sample_model(audited_workspace, "model-a", GENERATIONS, 0, STEPS)
    with monkeypatch.context() as broken:
        broken.setattr(NullDistribution, "threshold", lambda self, _rate: float(np.median(self.scores)))
        audit(audited_workspace)
    assert unsound() == dict.fromkeys(("fused", "ssim", "ssim-turned", "works"), 0.001)
    audit_model(audit_context(audited_workspace, rate=0.1), "model-a", samples)
    assert unsound() == dict.fromkeys(("fused", "ssim", "ssim-turned", "works"), 0.001)
    audit_model(audit_context(audited_workspace, rate=0.0009), "model-a", samples)
    assert unsound() == {}


def test_a_failure_is_not_lifted_where_the_control_that_failed_was_undefined(
    audited_workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With too few steps the exact optimum mixes pictures and says nothing: no reason to trust what failed by it before."""
    with monkeypatch.context() as broken:
        broken.setattr(exact_optimum, "draw_batch", lambda *arguments: np.roll(255 - draw_batch(*arguments), 5, axis=-1))
        _, content = audit(audited_workspace)
    unsound = {rule for _, rule in failed(content)}
    assert "ssim" in unsound
    with monkeypatch.context() as mixing:
        mixing.setattr(exact_optimum, "CERTAIN", 1.1)
        _, content = audit(audited_workspace)
    assert [control["passed"] for control in content["controls"]] == [True, None, True]
    with audited_workspace.reading() as session:
        assert set(list_calibrations(session, load_model_record(session, "model-a").id)[0].unsound_rules) == unsound


def test_the_command_ends_with_status_5(
    audited_workspace: Workspace, control_with_near_copy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.audit.commands.run.open_home", lambda: audited_workspace)
    arguments = ["run", "model-a", "--control", control_with_near_copy, "--count", str(GENERATIONS), "--steps", str(STEPS)]
    result = CliRunner().invoke(app, ["audit", *arguments])
    assert result.exit_code == EXIT_VOID
    assert "void: held-out, rule ssim" in result.stderr
    assert "1 of " in result.stderr  # before anything was sampled
    assert "near-copies" in result.stderr
    assert result.stdout.index(": void.") < result.stdout.index("rules that passed every control")
    assert result.stdout.index(": void.") < result.stdout.index("95 % interval")
    assert "near-copies.csv" in result.stdout
    path = next(line for line in result.stdout.splitlines() if line.endswith("report.html"))
    assert json.loads(Path(path).with_name("audit.json").read_bytes())["state"] == "failed"


def test_a_rule_that_is_not_relied_on_is_void_by_itself(
    audited_workspace: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    absurd = tuple(replace(rule, threshold=-1.0) if rule.name == "l2-ratio" else rule for rule in load_rules())
    monkeypatch.setattr(panel, "load_rules", lambda: absurd)
    context = audit_context(audited_workspace)
    calibrated = calibrate_model(context, "model-a")
    samples = sample_model(audited_workspace, "model-a", GENERATIONS, 0, STEPS)
    recorded, content = audit_calibrated(replace(context, relied_on=("ssim", "fused")), calibrated, samples)
    assert (recorded.state, content["state"], content["relied_on"]) == ("completed", "completed", ["fused", "ssim"])
    assert failed(content) == {("copycat", "l2-ratio"), ("exact-optimum", "l2-ratio")}
    assert {rule["name"] for rule in content["rules"] if not rule["sound"]} == {"l2-ratio"}
    write_report(audited_workspace, [(recorded, content, samples)], tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "is void</h2>" not in page
    assert page.count("void: failed a control") == 1
    _, again = audit_calibrated(replace(context, relied_on=("ssim", "l2-ratio")), calibrated, samples)
    assert again["state"] == "failed"


@pytest.mark.parametrize("relied_on", [("l2-ratio",), ("ssim", "sscd")])
def test_an_audit_cannot_rest_on_rules_that_no_control_could_fail(
    audited_workspace: Workspace, relied_on: tuple[str, ...]
) -> None:
    """The headline's own rule left out, or a rule that is not in the panel: whatever the controls said, it would be sound."""
    context = audit_context(audited_workspace)
    calibrated = calibrate_model(context, "model-a")
    samples = sample_model(audited_workspace, "model-a", GENERATIONS, 0, STEPS)
    with pytest.raises(InputError) as caught:
        audit_calibrated(replace(context, relied_on=relied_on), calibrated, samples)
    assert caught.value.code == "rules_relied_on"
